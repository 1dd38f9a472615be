/** A target that hangs is left alone for a while, so that waiting for it does not hold up everything else. */

import { keysAway } from './keys-away.ts'

/** This many calls in a row that took too long, whatever became of them. */
const SLOW_IN_A_ROW = 3
/** A refusal that comes at once costs nobody anything. */
const SLOW_MS = 2000
const REST_MS = { first: 1000, most: 15_000 }

export interface Circuit {
  /** Runs `work`, or throws what `refusal` makes, at once, while the target is left alone. */
  run<T>(work: () => Promise<T>, refusal: () => Error): Promise<T>
}

/** @param elapsed a monotonic clock, in milliseconds */
export function createCircuit(elapsed: () => number = () => performance.now()): Circuit {
  let slow = 0
  let restsUntil = -Infinity
  let isTrying = false

  function note(tookMs: number, isFailure: boolean, isTrial: boolean): void {
    if (!isFailure || tookMs < SLOW_MS) {
      slow = 0
      return
    }
    // Those that were under way as it was left alone tell nothing that is not known.
    if (slow >= SLOW_IN_A_ROW && !isTrial) return
    slow += 1
    const rests = slow - SLOW_IN_A_ROW
    if (rests < 0) return
    restsUntil = elapsed() + Math.min(REST_MS.most, REST_MS.first * 2 ** Math.min(rests, 10))
  }

  return {
    async run(work, refusal) {
      const isOpen = slow >= SLOW_IN_A_ROW
      // One finds out for all whether it is back.
      if (isOpen && (isTrying || elapsed() < restsUntil)) throw refusal()
      isTrying ||= isOpen
      const since = elapsed()
      try {
        const result = await work()
        note(elapsed() - since, false, isOpen)
        return result
      } catch (error) {
        if (keysAway(error) === null) note(elapsed() - since, true, isOpen)
        throw error
      } finally {
        if (isOpen) isTrying = false
      }
    },
  }
}
