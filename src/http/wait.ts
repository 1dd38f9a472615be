/** Long polls: the answer when the state changes, or as it is at the end. */
import type { Response } from 'express'
import { BrokerError } from '../domain/problems.ts'
import { callOf } from './call.ts'
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
  const callers = createCount()
  return async (res, seconds, looking) => {
    const seen = await looking.look()
    if (seconds === 0) return seen
    const { caller, release } = callOf(res)
    const leave = callers.enter(caller ?? '')
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

function createCount() {
  const waiting = new Map<string, number>()
  let inAll = 0
  return {
    enter(caller: string): () => void {
      const mine = waiting.get(caller) ?? 0
      if (mine >= WAITING_MAX_EACH || inAll >= WAITING_MAX) {
        throw new BrokerError('rate_limited', {
          shown: { detail: 'Too many requests are waiting' },
        })
      }
      waiting.set(caller, mine + 1)
      inAll += 1
      return () => {
        const left = (waiting.get(caller) ?? 1) - 1
        if (left === 0) waiting.delete(caller)
        else waiting.set(caller, left)
        inAll -= 1
      }
    },
  }
}

const pause = (ms: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, ms)
  })
