/** Leases in the database: opened once, active once, over for ever. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { eachOf, rowsOf } from '../db/each.ts'
import { stopsOf } from '../db/stops.ts'
import type { StopKind as RevocationKind } from '../domain/entry.ts'
import type { EventId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Intent, Issued, Lease, LeaseState } from '../domain/lease.ts'
import { unavailable } from '../domain/problems.ts'
import type { Rowwise, Tx } from '../domain/tx.ts'
import type { Draft } from './claims.ts'

const RESTS_ON = `array[l.sponsor, l.consent, l.agent, l.instance, l.id] || (
  select d.path || d.agents || d.keys || d.root from procura.delegation d
  where d.tenant = l.tenant and d.id = l.delegation)`

/**
 * The stops of whatever the lease `l` rests on, acknowledged since it was decided: of those it names, and
 * of the hop that it goes back to with all above that.
 */
export const STOPS = `${stopsOf('l.tenant', RESTS_ON)} where stopped.epoch > l.revocation_epoch`

/** What holds the lease `l` back while it lasts: its tool, whoever it goes through, or everything. */
export const FROZEN = `f.tenant = l.tenant and f.lifted_at is null
  and f.scope = any (array['', l.intent ->> 'tool', l.sponsor, l.agent] || (
    select d.agents || array(select a.sponsor from procura.agent a
                             where a.tenant = d.tenant and a.id = any (d.agents))
    from procura.delegation d where d.tenant = l.tenant and d.id = l.delegation))`

/** What is final comes first, and the sponsor and the consent before what is below them. */
export const HELD_BY = `coalesce(
  (select stopped.kind from ${STOPS}
   order by array_position(array['sponsor', 'consent'], stopped.kind) limit 1),
  (select 'frozen' from procura.freeze f where ${FROZEN} limit 1))`

/** Nothing does. */
export const STANDS = `not exists (select from ${STOPS})
  and not exists (select from procura.freeze f where ${FROZEN})`

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

/** What of it is told. */
type Told = Pick<Held, 'intent' | 'state' | 'endedAt' | 'confirmedDeadAt' | 'eventId'>

/** A freeze, or what was stopped. */
export type StopKind = 'frozen' | Exclude<RevocationKind, 'session'> | 'key'

/** What the one statement that opens a lease found. */
export interface Found {
  readonly now: Date
  readonly policyEpoch: number
  readonly stopped: StopKind | null
  readonly opened: boolean
}

export interface Opening {
  readonly audience: string | null
  readonly policyEpoch: number
  /** When the decision ends. */
  readonly exp: Date
}

/**
 * Redeems a decision by opening its lease, if it is young enough, its policies are in force and
 * nothing on its path was stopped. However many race, the unique index lets one in.
 */
export function leaseOpener(pool: Pool, tenant: string) {
  const each = eachOf(pool)
  return async (draft: Draft, { audience, policyEpoch, exp }: Opening): Promise<Found> => {
    const row = await each<FoundRow>(opening(tenant), {
      ...columnsOf(draft, audience),
      ...{ expires_at: draft.expiresAt.toISOString(), policy: policyEpoch, exp: exp.toISOString() },
    })
    if (row?.policy_epoch == null) throw unavailable('database', new Error('no epoch can be read'))
    const { now, policy_epoch, stopped, opened } = row
    return { now, policyEpoch: policy_epoch, stopped, opened }
  }
}

interface FoundRow {
  readonly now: Date
  readonly policy_epoch: number | null
  readonly stopped: StopKind | null
  readonly opened: boolean
}

const COLUMN_TYPES = `id text, decision_id text, connector text, target text, downstream_name text,
  audience text, sponsor text, agent text, instance text, consent text, delegation text, jkt text,
  intent jsonb, revocation_epoch bigint, expires_at timestamptz`

const opening = (tenant: string): Rowwise => ({
  name: 'lease_open',
  text: `with found as (
      select r.*, clock_timestamp() as now,
        (select value from procura.epoch where tenant = $2 and kind = 'policy') as policy_epoch
      from ${rowsOf(`policy bigint, exp timestamptz, ${COLUMN_TYPES}`)}
    ), looked as (
      select l.*, ${HELD_BY} as stopped from found l
    ), opened as (
      insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
        audience, sponsor, agent, instance, consent, delegation, jkt, intent, revocation_epoch, issued_at,
        expires_at)
      select tenant, id, decision_id, 'minting', connector, target, downstream_name,
        audience, sponsor, agent, instance, consent, delegation, jkt, intent, revocation_epoch, now,
        expires_at
      from looked where policy_epoch = policy and stopped is null and now < least(exp, expires_at)
      order by id, n on conflict do nothing returning id
    )
    select l.n, l.now, l.policy_epoch, l.stopped,
      o.id is not null and l.n = min(l.n) over (partition by l.id) as opened
    from looked l left join opened o using (id)`,
  values: [tenant],
})

/** Uses up a decision that is refused: its lease has failed before it began. False where it was used. */
export async function openFailed(
  tx: Tx,
  tenant: string,
  draft: Draft,
  audience: string | null,
): Promise<boolean> {
  await tx.begun
  const failed = await tx.each(failing(tenant, tx.now), {
    ...columnsOf(draft, audience),
    expires_at: draft.expiresAt.toISOString(),
  })
  return failed !== null
}

const failing = (tenant: string, now: Date): Rowwise => ({
  name: 'lease_fail',
  text: `with r as (
      select * from jsonb_to_recordset($1::jsonb) as r (n int, ${COLUMN_TYPES})
    ), failed as (
      insert into procura.lease (tenant, id, decision_id, connector, target, downstream_name, audience,
        sponsor, agent, instance, consent, delegation, jkt, intent, revocation_epoch, issued_at,
        expires_at, state, ended_at, end_reason)
      select distinct on (id) $2, id, decision_id, connector, target, downstream_name, audience,
        sponsor, agent, instance, consent, delegation, jkt, intent, revocation_epoch,
        $3::timestamptz, expires_at, 'failed', $3, 'aborted'
      from r order by id, n on conflict do nothing returning id
    )
    select distinct on (id) r.n from failed join r using (id) order by id, r.n`,
  values: [tenant, now],
})

/** The row repeats what it is searched by; the rest is in `intent`. */
function columnsOf(draft: Draft, audience: string | null): JsonObject {
  const { expiresAt: _, ...kept } = draft
  return {
    ...{ id: draft.lease, decision_id: draft.decision, connector: draft.connector },
    ...{ target: draft.target, downstream_name: draft.downstreamName, audience },
    ...{ sponsor: draft.sponsor, agent: draft.agent, instance: draft.instance },
    ...{ consent: draft.consent, delegation: draft.delegation, jkt: draft.jkt },
    intent: { ...kept },
    revocation_epoch: draft.revocationEpoch,
  }
}

/** Makes a lease active, once, unless it was stopped, its time ran out, or its end was begun. Null where so. */
export async function activateLease(
  tx: Tx,
  tenant: string,
  intent: Intent,
  made: Issued,
): Promise<Told | null> {
  const { lease: id, eventId } = intent
  const row = await tx.each<{ expires_at: Date }>(activating(tenant), {
    ...{ id, event_id: eventId, expires_at: made.expiresAt.toISOString() },
  })
  if (row === null) return null
  const alive = { state: 'active', endedAt: null, confirmedDeadAt: null } as const
  return { ...alive, intent: { ...intent, expiresAt: row.expires_at }, eventId }
}

/**
 * By the database's own clock: it is asked together with the turn, whose time nobody knows yet. Who claimed it
 * may have ended it at its target, also where that claim has run out since.
 */
const activating = (tenant: string): Rowwise => ({
  name: 'lease_activate',
  text: `update procura.lease l set state = 'active', updated_at = r.now, event_id = r.event_id,
      expires_at = least(l.expires_at, r.expires_at)
    from (select *, clock_timestamp() as now
          from ${rowsOf('id text, event_id text, expires_at timestamptz')} offset 0) r
    where l.tenant = r.tenant and l.id = r.id and l.state = 'minting'
      and l.claim is null and least(l.expires_at, r.expires_at) > r.now and ${STANDS}
    returning r.n, l.expires_at`,
  values: [tenant],
})

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
export function leaseOf({ intent, state, endedAt, confirmedDeadAt, eventId }: Told): Lease {
  const { lease, decision, tool, argsHash, purpose, level } = intent
  return {
    ...{ id: lease, decision, state, tool, argsHash, purpose, level },
    ...{ senderConstraint: intent.senderConstraint, consent: intent.consent },
    ...{ instance: intent.instance, ttlSeconds: intent.ttlSeconds, issuedAt: intent.issuedAt },
    ...{ expiresAt: intent.expiresAt, endedAt, confirmedDeadAt, eventId },
  }
}
