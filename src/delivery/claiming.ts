/** Leases whose end is due, each claimed by one sweeper for a while. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { RevocationId } from '../domain/ids.ts'
import { type Ending, isEnding } from './endings.ts'
import { COLUMNS, type Held, heldOf, type Row, STOPS } from './leases.ts'

export interface Claimed extends Held {
  readonly claim: string
  /** Something was there at a try before, or nobody can tell: whoever began did not say how it went. */
  readonly wasFound: boolean
  readonly reason: Ending
  readonly stop: { readonly revocation: RevocationId; readonly kind: string } | null
}

export interface Claiming {
  readonly tenant: string
  readonly target: string
  /** Names this claim; a write later is conditional on it. */
  readonly claim: string
  readonly limit: number
  readonly which?: keyof typeof WHICH
  /** In place of the database's time, for tests. */
  readonly now?: Date | undefined
}

/** Of a lease `l`, at `time.now`. When it is due is a column: what is alive and not due costs nothing. */
const DUE = `l.tenant = $1 and l.due_at <= now and coalesce(l.claimed_until, '-infinity') < now`

const WHICH = {
  due: { name: 'lease_claim_due', condition: '' },
  /** Only what was stopped, has been tried, or was left by a crash. */
  urgent: {
    name: 'lease_claim_urgent',
    condition: `and (l.next_try_at is not null or l.state = 'minting')`,
  },
  /** Only what was stopped and never tried. */
  stopped: {
    name: 'lease_claim_stopped',
    condition: `and l.next_try_at is not null and l.state = 'active'`,
  },
} as const

/** How many are due at a target, claimed or not. */
export async function countDue(
  pool: Pick<Pool, 'query'>,
  { tenant, target, now }: Pick<Claiming, 'tenant' | 'target' | 'now'>,
): Promise<number> {
  const [row] = await ask<{ count: number }>(pool, {
    name: 'lease_count_due',
    text: `select count(*)::int from procura.lease
           where tenant = $1 and target = $2 and due_at <= coalesce($3, clock_timestamp())`,
    values: [tenant, target, now ?? null],
  })
  return row?.count ?? 0
}

/**
 * Brings forward the ends of leases under what was stopped since the last time, some thousands of them;
 * whether those were all.
 */
export async function tellLeases(pool: Pick<Pool, 'query'>, tenant: string): Promise<boolean> {
  const [row] = await ask<{ is_all: boolean }>(pool, {
    name: 'leases_tell_some',
    text: 'select procura.tell_some_leases($1) as is_all',
    values: [tenant],
  })
  return row?.is_all === true
}

/** The targets at which something is due, configured or not; it may be claimed. */
export async function targetsDue(
  pool: Pick<Pool, 'query'>,
  tenant: string,
  now?: Date,
): Promise<string[]> {
  const rows = await ask<{ target: string }>(pool, {
    name: 'lease_targets_due',
    // From one target to the next by the index, whatever lies between.
    text: `with recursive time as materialized (select coalesce($2, clock_timestamp()) as now),
      alive (target) as (
        select min(target) from procura.lease where tenant = $1 and due_at is not null
        union all
        select (select min(l.target) from procura.lease l
                where l.tenant = $1 and l.due_at is not null and l.target > alive.target)
        from alive where alive.target is not null
      )
      select target from time, alive
      where (select l.due_at from procura.lease l
             where l.tenant = $1 and l.target = alive.target and l.due_at is not null
             order by l.due_at limit 1) <= now`,
    values: [tenant, now ?? null],
  })
  return rows.map(({ target }) => target)
}

/**
 * Claims up to `limit` of them, passing over what another sweeper is at. A claim lasts 30 seconds.
 */
export async function claimDue(
  pool: Pick<Pool, 'query'>,
  { tenant, target, claim, limit, which = 'due', now }: Claiming,
): Promise<Claimed[]> {
  const { name, condition } = WHICH[which]
  const rows = await ask<ClaimedRow>(pool, {
    name,
    text: `with time as materialized (select coalesce($4, clock_timestamp()) as now),
      due as (
        select l.tenant, l.id, l.claim is not null as was_found, s.revocation, s.kind as stopped
        from time, procura.lease l
        left join lateral (
          select stopped.revocation, stopped.kind from ${STOPS} order by stopped.epoch limit 1
        ) s on true
        where ${DUE} and l.target = $5 ${condition}
        order by l.due_at limit $3
        for update of l skip locked
      )
      update procura.lease l set claim = $2, claimed_until = time.now + interval '30 s'
      from due, time where l.tenant = due.tenant and l.id = due.id
      returning ${COLUMNS}, due.was_found, due.revocation, due.stopped`,
    values: [tenant, claim, limit, now ?? null, target],
  })
  return rows.map((row) => {
    const { revocation, stopped, was_found: wasFound } = row
    const stop = revocation === null ? null : { revocation, kind: stopped ?? 'stopped' }
    const held = heldOf(row)
    return { ...held, claim, wasFound, stop, reason: reasonOf(held, stop !== null) }
  })
}

interface ClaimedRow extends Row {
  readonly was_found: boolean
  readonly revocation: RevocationId | null
  readonly stopped: string | null
}

/**
 * Gives back what was claimed and not ended: another sweeper need not wait for the claim to run out. Of what was
 * never active it stays known that somebody had begun: it may have been ended at its target.
 */
export async function releaseClaims(
  pool: Pick<Pool, 'query'>,
  tenant: string,
  claims: readonly string[],
): Promise<void> {
  if (claims.length === 0) return
  await ask(pool, {
    text: `update procura.lease set claim = case when event_id is null then claim end, claimed_until = null
           where tenant = $1 and claim = any($2::text[]) and ended_at is null`,
    values: [tenant, claims],
  })
}

/** What was begun goes on for the reason it was begun for. */
function reasonOf({ state, endReason }: Held, isStopped: boolean): Ending {
  if (isEnding(endReason)) return endReason
  if (state === 'minting') return 'found_after_crash'
  return isStopped ? 'revoked' : 'expired'
}
