/** Stops in the database, and how far the targets have confirmed them. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { Revocation } from '../domain/entry.ts'
import type { EventId, PersonId, RevocationId } from '../domain/ids.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Tx } from '../domain/tx.ts'
import { isCut, liveOf } from './reach.ts'

export interface Revoked {
  readonly revocation: Revocation
  readonly confirmations: {
    /** Of those that were noted when it was stopped, which of a kind are some thousands at most. */
    readonly confirmed: number
    /** Of all under it, some thousands at most; under a hop that was stopped before, maybe by that stop only. */
    readonly pending: number
    /** Over, and the target cannot tell. */
    readonly notSupported: number
  }
  readonly eventId: EventId
}

export function createStore(tenant: string, pool: Pool) {
  return {
    /** @throws BrokerError `not_found` */
    async byId(id: RevocationId): Promise<{ sponsor: PersonId | null; revoked: Revoked }> {
      const [row] = await ask<RevocationRow & Record<string, unknown>>(pool, {
        name: 'revocation_by_id',
        text: BY_ID,
        values: [tenant, id],
      })
      if (row === undefined) throw new BrokerError('not_found')
      const revoked = revokedOf(row)
      if (!isCut(row.counts)) return { sponsor: row.sponsor, revoked }
      const pending = await liveUnder(row)
      const confirmations = { ...revoked.confirmations, pending }
      return { sponsor: row.sponsor, revoked: { ...revoked, confirmations } }
    },
  }

  /** Not all leases under it are among those whose ends were noted to be confirmed. */
  async function liveUnder({ target_kind: kind, target_id: id, at }: RevocationRow) {
    const [row] = await ask<{ live: number }>(pool, liveOf(tenant, { kind, id, at }))
    if (row === undefined) throw new Error('a count has a row')
    return row.live
  }
}

/** Of the leases that were not over when it was stopped. */
const BY_ID = `select r.id, r.target_kind, r.target_id, r.cause, r.counts, r.at, r.event_id, r.sponsor,
    l.confirmed, l.pending, l.not_supported
  from procura.revocation r, lateral (
    select count(*) filter (where confirmed_dead_at is not null) as confirmed,
           count(*) filter (where confirmed_dead_at is null and ended_at is null) as pending,
           count(*) filter (where confirmed_dead_at is null and ended_at is not null) as not_supported
    from procura.reached x join procura.lease l on l.tenant = $1 and l.id = x.lease
    where x.tenant = $1 and x.revocation = r.id) l
  where r.tenant = $1 and r.id = $2`

interface RevocationRow {
  readonly id: RevocationId
  readonly target_kind: Revocation['target']['kind']
  readonly target_id: string
  readonly cause: string
  readonly counts: Record<string, number>
  readonly at: Date
  readonly event_id: EventId
  readonly sponsor: PersonId | null
  readonly confirmed: number
  readonly pending: number
  readonly not_supported: number
}

function revokedOf(row: RevocationRow): Revoked {
  const { id, cause, counts, at, confirmed, pending } = row
  return {
    revocation: { id, target: { kind: row.target_kind, id: row.target_id }, cause, at, counts },
    confirmations: { confirmed, pending, notSupported: row.not_supported },
    eventId: row.event_id,
  }
}

/** The stop of this very thing, if it was stopped before. */
export async function stoppedBefore(
  tx: Tx,
  tenant: string,
  { kind, id }: Revocation['target'],
): Promise<RevocationId | null> {
  const { rows } = await tx.query<{ id: RevocationId }>({
    name: 'revocation_of',
    text: `select id from procura.revocation
           where tenant = $1 and target_kind = $2 and target_id = $3`,
    values: [tenant, kind, id],
  })
  return rows[0]?.id ?? null
}

export interface Stop {
  readonly revocation: Revocation
  readonly sponsor: PersonId
  readonly eventId: EventId
  /** The thing itself, and what goes with it by name. */
  readonly stops: readonly { readonly kind: string; readonly id: string }[]
  /** Leases whose ends are to be confirmed. */
  readonly leases: readonly string[]
}

/**
 * The row, the stops that every path is held against, and the epoch that says there are new ones. What
 * was stopped before with something else stays stopped as it was.
 */
export async function insertStop(tx: Tx, tenant: string, stop: Stop): Promise<void> {
  const { revocation, sponsor, eventId, stops, leases } = stop
  const { id, target, cause, counts, at } = revocation
  const { rows } = await tx.query<{ written: number }>({
    name: 'revocation_stop',
    text: `with raised as (${RAISE}), written as (
        insert into procura.revocation
          (tenant, id, target_kind, target_id, cause, counts, at, event_id, sponsor)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id
      ), stopped as (
        insert into procura.stop (tenant, kind, id, epoch, revocation, at)
        select $1, kind, id, value, $2, $7
        from raised, unnest($10::text[], $11::text[]) as what (kind, id)
        on conflict do nothing
      ), reached as (
        insert into procura.reached (tenant, revocation, lease)
        select $1, written.id, lease from written, unnest($12::text[]) as lease
      )
      select count(*) as written from written`,
    values: [
      ...[tenant, id, target.kind, target.id, cause, counts, at, eventId, sponsor],
      ...[stops.map(({ kind }) => kind), stops.map((each) => each.id), leases],
    ],
  })
  if (rows[0]?.written !== 1) throw new Error('a stop was not written')
}

/** Of tenant `$1`: what is decided from now on sees that something was stopped, frozen or lifted. */
export const RAISE = `insert into procura.epoch (tenant, kind, value) values ($1, 'revocation', 1)
  on conflict (tenant, kind) do update set value = epoch.value + 1 returning value`
