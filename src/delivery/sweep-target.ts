/** What is due at one target is ended there, a few at a time, and put on record; or put off. */
import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { isOutage } from '../db/outage.ts'
import type { EndReason } from '../domain/lease.ts'
import type { Meter } from '../domain/meter.ts'
import type { Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import { bySystem } from '../domain/request.ts'
import { type Claimed, claimDue, type Claiming, countDue } from './claiming.ts'
import { NotYet, PartlyRevoked, Silent } from './connector.ts'
import { isTimeout, within } from './deadline.ts'
import { conclude, type Ending, FINAL, putOff } from './endings.ts'
import { createPace } from './pace.ts'
import type { Resting } from './resting.ts'
import type { Targets } from './targets.ts'

/** At one target at a time; a target that hangs holds up no other. */
const LANES = 8
/** Where there is nothing to be ended, what is left is the record, whose commits they share. */
const LANES_OF_RECORD = 32
/** Less than a claim lasts. */
const REVOKE_MS = 5000
const BACK_OFF_MS = { first: 500, most: 20_000 }

export interface SweepOptions {
  readonly tenant: string
  readonly pool: Pool
  /** The reaper's. */
  readonly ledger: Ledger
  readonly targets: Targets
  readonly meter?: Meter
  readonly trouble?: (error: unknown) => void
}

export interface Sweep {
  readonly target: string
  /** Those that are being worked on. */
  readonly claims: Set<string>
  readonly resting: Resting
  readonly signal: AbortSignal
  readonly now: Date | undefined
}

/** How many it ended for good. */
export async function sweepTarget(options: SweepOptions, sweep: Sweep): Promise<number> {
  const { tenant, pool } = options
  const { target, claims, resting, signal, now } = sweep
  const elapsed = () => now?.getTime() ?? performance.now()
  const { connector, endsAtOnce = LANES } = options.targets.get(target) ?? {}
  const isAtTarget = connector?.isAtTarget ?? true
  const lanes = isAtTarget ? Math.min(LANES, endsAtOnce) : LANES_OF_RECORD
  const claimSome = (claim: string, limit: number, which: Claiming['which'] = 'due') =>
    claimDue(pool, { tenant, target, claim, limit, which, now })
  const endAll = (due: readonly Claimed[]) =>
    Promise.all(due.map((lease) => endOne(options, lease, now)))
  const pace = createPace(() => countDue(pool, { tenant, target, now }))
  let ended = 0
  while (!signal.aborted) {
    const room = resting.lanes(target, lanes, elapsed())
    if (room === 0) break
    const { few, isFlood } = pace.next(room)
    const claim = randomUUID()
    claims.add(claim)
    try {
      const looksAhead = isFlood && room === lanes
      const urgent = looksAhead ? await claimSome(claim, Math.max(1, room - few), 'urgent') : []
      const others = await claimSome(claim, few)
      const due = [...urgent, ...others]
      const outcomes = await endAll(due)
      // What is due again for having been refused is due before whatever is stopped later.
      if (others.length === few && isRefusal(outcomes))
        outcomes.push(...(await endAll(await claimSome(claim, room, 'stopped'))))
      ended += outcomes.filter((outcome) => outcome === 'ended').length
      const isAnswered = outcomes.some((outcome) => outcome !== 'silent')
      if (due.length > 0) resting.note(target, isAnswered, elapsed())
      // A target that refuses all of a round is left until the next look, whatever else is due there.
      if (others.length < few || isRefusal(outcomes)) break
      await pace.after({ tried: outcomes.length, isUrgent: urgent.length > 0, signal })
    } finally {
      claims.delete(claim)
    }
  }
  return ended
}

/** `silent`: its target, or our own record, did not answer; whoever says no has answered. */
type Outcome = 'ended' | 'put off' | 'refused' | 'silent'

const isRefusal = (outcomes: readonly Outcome[]) => outcomes.every((one) => one === 'refused')

/** First at its target, outside any transaction; then on record. Whoever lost the claim writes nothing. */
async function endOne(options: SweepOptions, due: Claimed, now?: Date): Promise<Outcome> {
  const { tenant, pool, ledger, targets, meter } = options
  const { intent, reason, state, claim, stop, attempts } = due
  const target = targets.get(intent.target)
  const from = [state]
  let found = due.wasFound
  try {
    if (target === undefined) throw new Silent(`There is no target ${intent.target}`)
    const revoked = await within(REVOKE_MS, (signal) =>
      target.revoke(intent.downstreamName, signal, intent.expiresAt),
    )
    const isEnforced = target.connector.spending === 'enforced'
    found = revoked.found || (found && !isEnforced)
    const act = bySystem('sweep')
    const conclusion = { intent, reason, from, claim, act, found, isEnforced, stop, attempts }
    if ((await conclude({ tenant, ledger }, conclusion)) === null) return 'put off'
    meter?.count('procura_credentials_ended_total', { reason: endedAs(reason) })
    return 'ended'
  } catch (error) {
    if (!(error instanceof NotYet)) options.trouble?.(error)
    const how = error instanceof PartlyRevoked ? 'partly' : 'unconfirmed'
    meter?.count('procura_revoke_retries_total', { how })
    const delayMs = error instanceof NotYet ? error.waitMs : backOff(attempts)
    // What is left of it was there.
    found ||= error instanceof PartlyRevoked
    const later = { lease: intent.lease, reason, from, claim, found, delayMs, now }
    // Not even that: the claim runs out, and it is due again.
    await putOff(pool, tenant, later).catch((failed: unknown) => options.trouble?.(failed))
    if (isSilence(error)) return 'silent'
    return error instanceof NotYet || error instanceof PartlyRevoked ? 'put off' : 'refused'
  }
}

function isSilence(error: unknown): boolean {
  if (error instanceof BrokerError) return isSilence(error.cause)
  return error instanceof Silent || isTimeout(error) || isOutage(error)
}

const endedAs = (reason: Ending): EndReason | 'failed' =>
  FINAL[reason] === 'failed' ? 'failed' : (reason as EndReason)

/** Doubles, up to 20 seconds, with as much chance in it as certainty; never ends. */
function backOff(attempts: number): number {
  const longest = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.min(attempts, 10))
  return Math.round(longest * (0.5 + Math.random() / 2))
}
