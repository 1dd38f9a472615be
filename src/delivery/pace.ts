/**
 * How fast one target's leases are ended. So many as fast as it goes; of a flood fewer at once, with
 * rests, for others ask meanwhile, but only while it gets less: what does not is ended as fast as it goes.
 */
import { setTimeout as pause } from 'node:timers/promises'

const AT_A_GO = 64
const FEWER = 4
const REST_MS_MAX = 100
const LOOK_MS = 5000

export interface Pace {
  /** How many of `room` may be ended in the next round, and whether that is to spare others. */
  next(room: number): { readonly few: number; readonly isFlood: boolean }
  /** Rests where it has to; not where something urgent was among them. */
  after(round: {
    readonly tried: number
    readonly isUrgent: boolean
    readonly signal: AbortSignal
  }): Promise<void>
}

/**
 * @param left how many there are, asked in a flood from time to time
 * @param elapsed a monotonic clock, in milliseconds
 */
export function createPace(
  left: () => Promise<number>,
  elapsed: () => number = () => performance.now(),
): Pace {
  let [tried, began, lookedAt, before] = [0, 0, -Infinity, Infinity]
  let isGrowing = false
  const isFlood = () => tried >= AT_A_GO && !isGrowing

  async function look(): Promise<void> {
    if (elapsed() - lookedAt < LOOK_MS) return
    const now = await left()
    isGrowing = now >= before
    ;[lookedAt, before] = [elapsed(), now]
  }

  return {
    next(room) {
      began = elapsed()
      return { few: isFlood() ? Math.ceil(room / FEWER) : room, isFlood: isFlood() }
    },
    async after({ tried: more, isUrgent, signal }) {
      const wasFlood = isFlood()
      tried += more
      if (!wasFlood) return
      await look()
      if (isUrgent || isGrowing) return
      const ms = Math.min(REST_MS_MAX, elapsed() - began)
      await pause(ms, undefined, { signal }).catch(() => undefined) // Told to stop, it does not rest.
    },
  }
}
