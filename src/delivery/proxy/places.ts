/** How many calls of one target go on at once. */
import { unavailable } from '../../domain/problems.ts'

export interface Places {
  /** Call what is returned when the call is over. @throws BrokerError `unavailable` */
  enter(target: string, most: number): () => void
}

export function createPlaces(): Places {
  const taken = new Map<string, number>()
  return {
    enter(target, most) {
      const count = taken.get(target) ?? 0
      if (count >= most) throw unavailable('downstream')
      taken.set(target, count + 1)
      return () => {
        const left = (taken.get(target) ?? 1) - 1
        if (left > 0) taken.set(target, left)
        else taken.delete(target)
      }
    },
  }
}
