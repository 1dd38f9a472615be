/** How many calls of one target go on at once, and that they are not all of one person's agents. */
import type { Intent } from '../../domain/lease.ts'
import { unavailable } from '../../domain/problems.ts'

export interface Places {
  /**
   * A sponsor has at most half of them, rounded up. A lease takes one, however many try it at once: all
   * but one of them are about to be told that it is spent. Call what is returned when the call is over.
   *
   * @throws BrokerError `unavailable`
   */
  enter(of: Pick<Intent, 'target' | 'sponsor' | 'lease'>, most: number): () => void
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
    enter({ target, sponsor, lease }, most) {
      // No name of a target, and no sponsor, has a line break in it.
      const theirs = `${target}\n${sponsor}`
      const isFirst = count(lease) === 0
      if (isFirst && (count(target) >= most || count(theirs) >= Math.ceil(most / 2))) {
        throw unavailable('downstream')
      }
      if (isFirst) for (const key of [target, theirs]) add(key, 1)
      add(lease, 1)
      return () => {
        add(lease, -1)
        if (count(lease) > 0) return
        for (const key of [target, theirs]) add(key, -1)
      }
    },
  }
}
