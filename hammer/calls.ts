/** Calls as a careful caller makes them: retried under the same key until there is an answer, and journalled. */
import { setTimeout as pause } from 'node:timers/promises'
import { Refused, Unreachable } from '../src/client/errors.ts'
import type { JsonObject } from '../src/domain/json.ts'
import { BLANK, type Journal, type Line, type Op, said } from './journal.ts'

/** Longer than a lease that nobody finished goes on being `minting`. */
const PERSIST_MS = 60_000
const PAUSE_MS = 150
const IN_FLIGHT_MS = 1500

export interface Called {
  readonly op: Op
  readonly actor: string
  readonly sponsor: string
  readonly key?: string
  readonly asked?: string
  readonly consent?: string
}

export type Outcome =
  | { readonly kind: 'done'; readonly body: JsonObject }
  /** It was done, and what came of it was told to an attempt whose answer got lost. */
  | { readonly kind: 'lost'; readonly credential: string }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'given up' }

export type Caller = (called: Called, send: () => Promise<JsonObject>) => Promise<Outcome>

export function createCalls(journal: Journal, { isOver }: { isOver: () => boolean }): Caller {
  let calls = 0
  return async (called, send) => {
    calls += 1
    const call = calls
    const deadline = performance.now() + PERSIST_MS
    for (let attempt = 1; ; attempt += 1) {
      const line = { ...BLANK, key: null, asked: null, ...called, call, attempt, at: Date.now() }
      const { outcome, seen } = await answerTo(send)
      journal.write({ ...line, ...seen, answeredAt: Date.now() })
      if (outcome !== null) return outcome
      if (performance.now() > deadline || isOver()) return { kind: 'given up' }
      await pause(
        seen.code === 'idempotency_in_flight' ? IN_FLIGHT_MS : PAUSE_MS * Math.min(attempt, 4),
      )
    }
  }
}

/** What an answer does not say is not unsaid: the consent that was asked under stays. */
const given = ({ consent, ...seen }: Partial<Line>): Partial<Line> =>
  consent == null ? seen : { ...seen, consent }

/** `outcome: null`: it may be tried again. */
async function answerTo(
  send: () => Promise<JsonObject>,
): Promise<{ outcome: Outcome | null; seen: Partial<Line> }> {
  try {
    const body = await send()
    const status = body['status'] === 'pending' ? 202 : 201
    return { outcome: { kind: 'done', body }, seen: { ...given(said(body)), status } }
  } catch (error) {
    if (error instanceof Unreachable) return { outcome: null, seen: { status: 0 } }
    if (!(error instanceof Refused)) throw error
    const { status, code } = error
    const seen = { ...given(said(error.problem)), status, code, secret: null }
    if (code === 'idempotency_replayed') {
      const credential = seen.credential ?? ''
      return {
        outcome: { kind: 'lost', credential },
        seen: { ...seen, status: 201, replayed: true },
      }
    }
    const mayPass = status >= 500 || status === 429 || code === 'idempotency_in_flight'
    return { outcome: mayPass ? null : { kind: 'refused', code }, seen }
  }
}
