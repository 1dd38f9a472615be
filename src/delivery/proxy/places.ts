/** How many calls of one target go on at once, and that they are not all of one person's agents. */
import type { Intent } from '../../domain/lease.ts'
import { unavailable } from '../../domain/problems.ts'

export interface Places {
  /**
   * A sponsor has at most half of them, rounded up. Call what is returned when the call is over.
   *
   * @throws BrokerError `unavailable`
   */
  enter(of: Pick<Intent, 'target' | 'sponsor'>, most: number): () => void
}

export function createPlaces(): Places {
  const taken = new Map<string, number>()
  const count = (key: string) => taken.get(key) ?? 0
  const add = (key: string, more: number) => {
    const now = count(key) + more
    if (now > 0) taken.set(key, now)
    else taken.delete(key)
  }
  return {
    enter({ target, sponsor }, most) {
      // No name of a target, and no sponsor, has a line break in it.
      const theirs = `${target}\n${sponsor}`
      if (count(target) >= most || count(theirs) >= Math.ceil(most / 2)) {
        throw unavailable('downstream')
      }
      for (const key of [target, theirs]) add(key, 1)
      return () => {
        for (const key of [target, theirs]) add(key, -1)
      }
    },
  }
}
