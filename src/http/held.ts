/** What goes on at the same time, counted by whose it is. */
import { BrokerError } from '../domain/problems.ts'

export interface Held {
  /**
   * One more of this name's, until what is returned is called; more than once does nothing.
   *
   * @throws BrokerError `rate_limited` when this name, or all together, have too many
   */
  enter(name: string, max: number): () => void
}

export function createHeld(detail: string, inAllMax = Infinity): Held {
  const held = new Map<string, number>()
  let inAll = 0
  return {
    enter(name, max) {
      const mine = held.get(name) ?? 0
      if (mine >= max || inAll >= inAllMax) {
        throw new BrokerError('rate_limited', { shown: { detail, retryAfterSeconds: 1 } })
      }
      held.set(name, mine + 1)
      inAll += 1
      let isHeld = true
      return () => {
        if (!isHeld) return
        isHeld = false
        inAll -= 1
        const left = (held.get(name) ?? 1) - 1
        if (left === 0) held.delete(name)
        else held.set(name, left)
      }
    },
  }
}
