/** Light open-loop load from the SDK around a fault, and the journal of what became of each call. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type CredentialAsk } from '../../src/client/client.ts'
import { Refused } from '../../src/client/errors.ts'
import { isObject, type Json } from '../../src/domain/json.ts'
import { COUNT, REFUND, type Run } from '../scenario/house.ts'

const RATE = 25
const STEADY = 15
/** Of one agent. Fewer than it may have: on a machine that is busy it is else the limits that answer. */
const UNDER_WAY_MAX = 40
/** Within this time after a fault everything works again, and nobody has helped. */
export const R_SECONDS = 30

export interface Call {
  /** When it began, and how long it took, in milliseconds. */
  readonly at: number
  readonly ms: number
  readonly key: string
  readonly by: Run
  /** `active`, the code of the refusal, or `unreachable`. */
  readonly outcome: string
  readonly status: number | null
  /** What was named as missing, on 503. */
  readonly input: Json
  readonly id: string | null
}

export interface Journal {
  readonly calls: readonly Call[]
  /** Those that began and were answered while the fault was on. */
  readonly during: readonly Call[]
  /** From the end of the fault to the beginning of the last call that failed. */
  readonly recoveryMs: number
}

export const ASK = {
  refund: { tool: 'payments.refund', arguments: REFUND },
  count: { tool: 'sql.query', arguments: { sql: COUNT } },
} as const satisfies Record<string, CredentialAsk>

export interface Load {
  readonly kim: Run
  readonly ana: Run
  readonly ratePerSecond?: number
  /** Only kim's, which need no target. */
  readonly isTokensOnly?: boolean
}

/** Loads before, during and after `fault`, until calls have gone well for a while, or until R is over. */
export async function underLoad(load: Load, fault: () => Promise<unknown>): Promise<Journal> {
  const { kim, ana, ratePerSecond = RATE, isTokensOnly = false } = load
  const calls: Call[] = []
  const underWay = new Set<Promise<void>>()
  const running = new Map<Run, number>()
  const start = performance.now()
  const over = new AbortController()

  function begin(by: Run): void {
    running.set(by, (running.get(by) ?? 0) + 1)
    const call = one(by, by === kim ? ASK.refund : ASK.count, start).then((done) => {
      calls.push(done)
      underWay.delete(call)
      running.set(by, (running.get(by) ?? 0) - 1)
    })
    underWay.add(call)
  }

  const loading = (async () => {
    for (let n = 0; !over.signal.aborted; n += 1) {
      const by = isTokensOnly || n % 3 !== 0 ? kim : ana
      if ((running.get(by) ?? 0) < UNDER_WAY_MAX) begin(by)
      const late = start + ((n + 1) * 1000) / ratePerSecond - performance.now()
      if (late > 0) await pause(late)
    }
  })()

  await pause(500)
  const began = performance.now() - start
  await fault()
  const ended = performance.now() - start
  const isSteady = () => {
    const since = calls.filter((call) => call.at >= ended)
    return since.length >= STEADY && since.slice(-STEADY).every(isYes)
  }
  while (!isSteady() && performance.now() - start - ended < R_SECONDS * 1000) await pause(50)
  over.abort()
  await loading
  await Promise.all(underWay)
  calls.sort((a, b) => a.at - b.at)
  const lastNo = calls.findLast((call) => !isYes(call))?.at ?? 0
  return {
    calls,
    during: calls.filter(({ at, ms }) => at >= began && at + ms < ended),
    recoveryMs: Math.max(0, lastNo - ended),
  }
}

const isYes = ({ outcome }: Call) => outcome === 'active'

/** One call, told as a value. */
export async function one(
  by: Run,
  ask: CredentialAsk,
  start = performance.now(),
  key = randomUUID(),
): Promise<Call> {
  const at = performance.now() - start
  const told = await by.client.requestCredential(ask, key).then(
    (answer) => ({
      ...{ outcome: answer.status, status: 201, input: null },
      id: answer.status === 'active' ? answer.id : null,
    }),
    (error: unknown) => refusal(error),
  )
  return { at, ms: performance.now() - start - at, key, by, ...told }
}

function refusal(error: unknown) {
  if (!(error instanceof Refused)) {
    return { outcome: 'unreachable', status: null, input: null, id: null }
  }
  const { evaluation } = error.problem
  const input = isObject(evaluation) ? (evaluation['unavailable_input'] ?? null) : null
  return { outcome: error.code, status: error.status, input, id: null }
}

/** How often each outcome was met. */
export function outcomesOf(calls: readonly Call[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const { outcome } of calls) sums[outcome] = (sums[outcome] ?? 0) + 1
  return sums
}

export const slowest = (calls: readonly Call[]) => Math.max(0, ...calls.map(({ ms }) => ms))
