/** Leases in the database: opened once, active once, over for ever. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { EventId } from '../domain/ids.ts'
import type { Intent, Issued, Lease, LeaseState } from '../domain/lease.ts'
import { unavailable } from '../domain/problems.ts'
import type { Tx } from '../domain/tx.ts'
import type { Draft } from './claims.ts'

/** A stop of whatever the lease `l` rests on, acknowledged since it was decided. */
export const STOPPED = `s.tenant = l.tenant and s.epoch > l.revocation_epoch
  and (s.kind, s.id) in (('sponsor', l.sponsor), ('consent', l.consent), ('agent', l.agent),
                         ('instance', l.instance), ('credential', l.id))`

export const COLUMNS = `l.id, l.decision_id, l.state, l.connector, l.target, l.downstream_name, l.audience,
  l.instance, l.intent, l.issued_at, l.expires_at, l.ended_at, l.end_reason, l.confirmed_dead_at,
  l.event_id, l.attempts`

/** A lease as its row has it. */
export interface Held {
  readonly intent: Intent
  readonly state: LeaseState
  readonly audience: string | null
  readonly endedAt: Date | null
  readonly endReason: string | null
  readonly confirmedDeadAt: Date | null
  readonly eventId: EventId | null
  readonly attempts: number
}

export type StopKind = 'sponsor' | 'consent' | 'agent' | 'instance' | 'credential'

/** What the one statement that opens a lease found. */
export interface Found {
  readonly now: Date
  readonly policyEpoch: number
  readonly stopped: StopKind | null
  readonly opened: boolean
}

/**
 * Redeems a decision by opening its lease, if it is young enough, its policies are in force and
 * nothing on its path was stopped. However many race, the unique index lets one in.
 */
export async function openLease(
  pool: Pool,
  tenant: string,
  draft: Draft,
  { audience, policyEpoch, exp }: { audience: string | null; policyEpoch: number; exp: Date },
): Promise<Found> {
  const [row] = await ask<{
    now: Date
    policy_epoch: number | null
    stopped: StopKind | null
    opened: boolean
  }>(pool, {
    name: 'lease_open',
    text: `with found as (
        select clock_timestamp() as now,
          (select value from procura.epoch where tenant = $1 and kind = 'policy') as policy_epoch,
          (select s.kind from procura.stop s, (select $1 as tenant, $2 as id, $8 as sponsor,
              $9 as agent, $10 as instance, $11 as consent, $14::bigint as revocation_epoch) l
            where ${STOPPED} limit 1) as stopped
      ), opened as (
        insert into procura.lease (tenant, id, decision_id, state, connector, target,
          downstream_name, audience, sponsor, agent, instance, consent, jkt, intent,
          revocation_epoch, issued_at, expires_at)
        select $1, $2, $3, 'minting', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13::jsonb, $14, now, $15::timestamptz
        from found where policy_epoch = $16 and stopped is null and now < least($17, $15::timestamptz)
        on conflict do nothing returning id
      )
      select now, policy_epoch, stopped, exists (select from opened) as opened from found`,
    values: [tenant, ...valuesOf(draft, audience), draft.expiresAt, policyEpoch, exp],
  })
  if (row?.policy_epoch == null) throw unavailable('database', new Error('no epoch can be read'))
  const { now, policy_epoch, stopped, opened } = row
  return { now, policyEpoch: policy_epoch, stopped, opened }
}

/** Uses up a decision that is refused: its lease has failed before it began. False where it was used. */
export async function openFailed(
  tx: Tx,
  tenant: string,
  draft: Draft,
  audience: string | null,
): Promise<boolean> {
  const { rowCount } = await tx.query({
    text: `insert into procura.lease (tenant, id, decision_id, connector, target,
        downstream_name, audience, sponsor, agent, instance, consent, jkt, intent,
        revocation_epoch, issued_at, expires_at, state, ended_at, end_reason)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
        'failed', $15, 'aborted')
      on conflict do nothing`,
    values: [tenant, ...valuesOf(draft, audience), tx.now, draft.expiresAt],
  })
  return rowCount === 1
}

/** $2 to $14 of both. The row repeats what it is searched by; the rest is in `intent`. */
function valuesOf(draft: Draft, audience: string | null): unknown[] {
  const { expiresAt: _, ...kept } = draft
  return [
    ...[draft.lease, draft.decision, draft.connector, draft.target, draft.downstreamName, audience],
    ...[draft.sponsor, draft.agent, draft.instance, draft.consent, draft.jkt],
    ...[JSON.stringify(kept), draft.revocationEpoch],
  ]
}

/** Makes a lease active, once, unless it was stopped or its time ran out. Null where it was. */
export async function activateLease(
  tx: Tx,
  tenant: string,
  { lease, eventId }: Intent,
  made: Issued,
): Promise<Held | null> {
  const { rows } = await tx.query<Row>({
    name: 'lease_activate',
    text: `update procura.lease l set state = 'active', updated_at = $3, event_id = $4,
        expires_at = least(l.expires_at, $5)
      where l.tenant = $1 and l.id = $2 and l.state = 'minting' and least(l.expires_at, $5) > $3
        and not exists (select from procura.stop s where ${STOPPED})
      returning ${COLUMNS}`,
    values: [tenant, lease, tx.now, eventId, made.expiresAt],
  })
  return rows[0] ? heldOf(rows[0]) : null
}

/** What, if anything, was stopped under a lease since it was decided. */
export async function stopUnder(
  tx: Pick<Tx, 'query'>,
  tenant: string,
  lease: string,
): Promise<StopKind | null> {
  const { rows } = await tx.query<{ kind: StopKind }>(
    `select s.kind from procura.lease l, procura.stop s
     where l.tenant = $1 and l.id = $2 and ${STOPPED} limit 1`,
    [tenant, lease],
  )
  return rows[0]?.kind ?? null
}

/** Null where there is no such lease. `now` is the database's. */
export async function findLease(
  pool: Pick<Pool, 'query'>,
  tenant: string,
  lease: string,
): Promise<{ readonly held: Held | null; readonly now: Date }> {
  const [row] = await ask<{ now: Date } & (Row | { id: null })>(pool, {
    name: 'lease_find',
    text: `select clock_timestamp() as now, ${COLUMNS}
           from (select) nothing left join procura.lease l on l.tenant = $1 and l.id = $2`,
    values: [tenant, lease],
  })
  if (row === undefined) throw new Error('the database did not answer')
  return { held: row.id === null ? null : heldOf(row), now: row.now }
}

export interface Row {
  readonly id: string
  readonly state: LeaseState
  readonly audience: string | null
  readonly intent: Omit<Intent, 'issuedAt' | 'expiresAt'>
  readonly issued_at: Date
  readonly expires_at: Date
  readonly ended_at: Date | null
  readonly end_reason: string | null
  readonly confirmed_dead_at: Date | null
  readonly event_id: EventId | null
  readonly attempts: number
}

export function heldOf(row: Row): Held {
  return {
    intent: { ...row.intent, issuedAt: row.issued_at, expiresAt: row.expires_at },
    ...{ state: row.state, audience: row.audience, attempts: row.attempts },
    ...{ endedAt: row.ended_at, endReason: row.end_reason, eventId: row.event_id },
    confirmedDeadAt: row.confirmed_dead_at,
  }
}

/** As people and agents are told of it. */
export function leaseOf({ intent, state, endedAt, confirmedDeadAt, eventId }: Held): Lease {
  const { lease, decision, connector, tool, argsHash, purpose, level } = intent
  return {
    ...{ id: lease, decision, state, tool, argsHash, purpose, level },
    kind: connector as Issued['kind'], // A connector is named for what it issues.
    ...{ senderConstraint: intent.senderConstraint, consent: intent.consent },
    ...{ instance: intent.instance, ttlSeconds: intent.ttlSeconds, issuedAt: intent.issuedAt },
    ...{ expiresAt: intent.expiresAt, endedAt, confirmedDeadAt, eventId },
  }
}
