/** Long polls: the answer when the state changes, or as it is at the end. */
import type { Response } from 'express'
import { callOf } from './call.ts'
import { createHeld } from './held.ts'
import { count } from './page.ts'

export const WAIT = count(0, 30).default(0)

const LOOK_EVERY_MS = 500
const WAITING_MAX = 1_000
const WAITING_MAX_EACH = 10

export interface Looking<T> {
  readonly look: () => Promise<T>
  readonly stateOf: (seen: T) => string
}
type Wait = <T>(res: Response, seconds: number, looking: Looking<T>) => Promise<T>

/**
 * Looks again until what `stateOf` tells differs from the first look, at most `seconds` long. What
 * waits is counted, in all and for each caller.
 *
 * @throws BrokerError `rate_limited` when this caller, or everybody, waits too much already
 */
export function createWaiting(): Wait {
  const waiting = createHeld('Too many requests are waiting', WAITING_MAX)
  return async (res, seconds, looking) => {
    const seen = await looking.look()
    if (seconds === 0) return seen
    const { caller, release } = callOf(res)
    const leave = waiting.enter(caller ?? '', WAITING_MAX_EACH)
    release()
    try {
      return await changed(res, seen, { ...looking, seconds })
    } finally {
      leave()
    }
  }
}

async function changed<T>(
  res: Response,
  first: T,
  { look, stateOf, seconds }: Looking<T> & { readonly seconds: number },
): Promise<T> {
  let seen = first
  const deadline = performance.now() + seconds * 1000
  while (stateOf(seen) === stateOf(first) && performance.now() < deadline && !res.destroyed) {
    await pause(Math.min(LOOK_EVERY_MS, Math.max(0, deadline - performance.now())))
    seen = await look()
  }
  return seen
}

const pause = (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms)
  })
