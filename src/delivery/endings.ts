/** How a lease ends: once, in the transaction that records it, with what it spent given back if unused. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { Spent } from '../domain/decision.ts'
import type { Effect, FailReason, LedgerEntry } from '../domain/entry.ts'
import type { DecisionId, RevocationId } from '../domain/ids.ts'
import { deliveryOf, type EndReason, type Intent, type LeaseState } from '../domain/lease.ts'
import type { Ledger } from '../domain/ports.ts'
import { type Act, bySystem } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'

/** Why it is being ended; kept in the row until its target has confirmed it. */
export type Ending = EndReason | FailReason

/** What an ending comes to, once it is confirmed. */
export const FINAL: Readonly<Record<Ending, LeaseState>> = {
  ...{ expired: 'expired', returned: 'returned', revoked: 'revoked', delivery_unknown: 'revoked' },
  ...{ downstream_failed: 'failed', downstream_timeout: 'failed', aborted: 'failed' },
  ...{ not_recorded: 'failed', found_after_crash: 'failed' },
}
export const isEnding = (text: string | null): text is Ending =>
  text !== null && Object.hasOwn(FINAL, text)

export interface Concluding {
  readonly tenant: string
  readonly ledger: Ledger
}

export interface Conclusion {
  readonly intent: Intent
  readonly reason: Ending
  /** It ends from one of these states, or not by us. */
  readonly from: readonly LeaseState[]
  /** Where the lease was claimed: who lost the claim does not write. */
  readonly claim?: string
  readonly act: Act
  /** Something existed at the target, at this try or at one before. */
  readonly found: boolean
  readonly isEnforced: boolean
  readonly stop?: { readonly revocation: RevocationId; readonly kind: string } | null
  readonly attempts?: number
}

/** Records that a lease is over: confirmed, never presumed. `null`: somebody else had ended it. */
export async function conclude(
  { tenant, ledger }: Concluding,
  conclusion: Conclusion,
): Promise<{ readonly at: Date } | null> {
  const { intent, reason, found, isEnforced } = conclusion
  try {
    const recorded = await ledger.record(null, async (tx) => {
      const finished = await finish(tx, tenant, conclusion)
      if (finished === null) throw new NotOurs()
      // What another found, who had begun to end it, nobody can tell.
      const mayHaveBeenUsed = found || (finished.isBegunByOthers && !isEnforced)
      const mayRefund = isFailure(reason) ? !mayHaveBeenUsed : reason !== 'revoked'
      const refunded = mayRefund ? await refundUnused(tx, tenant, intent.decision) : []
      const entry = entryOf(conclusion, refunded, tx.now)
      return { entries: [entry], value: { at: tx.now }, answer: null }
    })
    return recorded.value
  } catch (error) {
    if (error instanceof NotOurs) return null
    throw error
  }
}

class NotOurs extends Error {}

/** `null`: it was not ours to end. */
async function finish(
  tx: Tx,
  tenant: string,
  conclusion: Conclusion,
): Promise<{ readonly isBegunByOthers: boolean } | null> {
  await tx.begun
  const { intent, reason, from, claim = null } = conclusion
  const { rows } = await tx.query<{ begun_by: string | null }>({
    name: 'lease_finish',
    text: `with found as (
        select claim from procura.lease where tenant = $1 and id = $2 for update
      )
      update procura.lease l set state = $3, end_reason = $4, updated_at = $5, ended_at = $5,
        confirmed_dead_at = $5, claim = null, claimed_until = null, next_try_at = null
      from found
      where tenant = $1 and id = $2 and state = any($6::text[]) and ($7::text is null or l.claim = $7)
      returning found.claim as begun_by`,
    values: [tenant, intent.lease, FINAL[reason], reason, tx.now, from, claim],
  })
  const [row] = rows
  return row === undefined ? null : { isBegunByOthers: row.begun_by !== claim }
}

function entryOf(conclusion: Conclusion, refunded: Spent[], now: Date): LedgerEntry {
  const { intent, reason, act, isEnforced, stop, attempts = 0 } = conclusion
  if (isFailure(reason)) {
    return { type: 'issuance_failed', act: bySystem(intent.requestId), intent, reason, refunded }
  }
  if (reason !== 'revoked') {
    const effect = isEnforced ? unused(intent) : UNSEEN
    return { type: 'credential_ended', act, credential: intent.lease, reason, effect, refunded }
  }
  return {
    ...{ type: 'remediation', act, revocation: stop?.revocation ?? null, credential: intent.lease },
    ...{ cause: stop?.kind ?? 'stopped', outcome: 'confirmed', attempts: attempts + 1 },
    ...{ confirmedDeadAt: now, causeEvent: null },
  }
}

const isFailure = (reason: Ending): reason is FailReason => FINAL[reason] === 'failed'
const unused = (intent: Intent): Effect => {
  const source = deliveryOf(intent) === 'proxy' ? 'proxy' : 'redemption'
  return { observed: 'none', source, agreement: 'not_exercised' }
}
const UNSEEN = { observed: 'unknown', source: 'none', agreement: 'indeterminate' } as const

/** What the database agrees to give back: it demands the proof itself, in the lease's final state. */
export async function refundUnused(tx: Tx, tenant: string, decision: DecisionId): Promise<Spent[]> {
  const { rows } = await tx.query<{
    account: string
    key: string
    type: Spent['type']
    bound: number
    amount: number
    used_after: number
  }>({
    name: 'refund_unused',
    text: `select account, key, type, bound, amount, used_after
           from procura.refund_unused($1, $2)`,
    values: [tenant, decision],
  })
  return rows.map(({ bound, used_after, ...spent }) => ({
    ...{ ...spent, limit: bound, usedAfter: used_after },
  }))
}

export interface Putting {
  readonly lease: string
  readonly reason: Ending
  readonly from: readonly LeaseState[]
  readonly claim?: string
  /** Something existed at the target: that is kept for whoever goes on. */
  readonly found?: boolean
  readonly delayMs: number
  /** In place of the database's time, for tests. */
  readonly now?: Date | undefined
}

/**
 * Its target has not confirmed: it stays on the list until it has. What was the reason before stays
 * the reason, and the claim of another who had begun stays a mark. False where somebody else had ended it.
 */
export async function putOff(
  pool: Pick<Pool, 'query'>,
  tenant: string,
  { lease, reason, from, claim, found = false, delayMs, now }: Putting,
): Promise<boolean> {
  const rows = await ask(pool, {
    name: 'lease_put_off',
    text: `update procura.lease set state = 'revoke_pending', attempts = attempts + 1,
        end_reason = coalesce(end_reason, $3), updated_at = clock_timestamp(),
        claim = case when $8 then coalesce(claim, 'found') when $5::text is null then claim end,
        claimed_until = null, next_try_at = coalesce($7, clock_timestamp()) + $6 * interval '1 ms'
      where tenant = $1 and id = $2 and state = any($4::text[]) and ($5::text is null or claim = $5)
      returning id`,
    values: [tenant, lease, reason, from, claim ?? null, delayMs, now ?? null, found],
  })
  return rows.length === 1
}
