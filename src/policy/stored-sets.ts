/** Policy sets in the database: immutable, and the one with the highest epoch is in force. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { type EventId, newId } from '../domain/ids.ts'
import type { Act } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import type { PolicyFiles } from './files.ts'
import type { PolicySet } from './policy-set.ts'

/** What goes on record: the `admin_change` of the ledger. */
export interface PolicyChange {
  readonly type: 'admin_change'
  readonly act: Act
  readonly eventId: EventId
  readonly kind: 'policy_set'
  readonly name: string
  readonly beforeHash: string | null
  readonly afterHash: string
  readonly reasonCode: string
}

/** What a publication leaves on record: its entry, or none when the set is in force already. */
export interface Published {
  readonly entries: readonly PolicyChange[]
  /** The epoch of the set; `null`: it was superseded before, and is not put back. */
  readonly value: number | null
  readonly answer: null
}

export interface StoredSet {
  readonly epoch: number
  readonly hash: string
  readonly files: PolicyFiles
}

export interface Publication {
  readonly set: PolicySet
  readonly act: Act
  /** Of whoever has just started: what was in force once, and no longer is, is not put back. */
  readonly isFirst?: boolean
}

/** In the transaction that records it: the set, under the next epoch. */
export async function putInForce(
  tx: Tx,
  tenant: string,
  { set, act, isFirst = false }: Publication,
): Promise<Published> {
  const before = await tx.query<{ epoch: string; hash: string; was_in_force: boolean }>(
    `select epoch, hash, exists (
       select from procura.policy_set o where o.tenant = $1 and o.hash = $2) as was_in_force
     from procura.policy_set where tenant = $1 order by epoch desc limit 1`,
    [tenant, set.hash],
  )
  const [last] = before.rows
  if (last?.hash === set.hash) return { entries: [], value: Number(last.epoch), answer: null }
  if (last?.was_in_force === true && isFirst) return { entries: [], value: null, answer: null }

  const raised = await tx.query<{ value: string }>(
    `insert into procura.epoch (tenant, kind, value) values ($1, 'policy', 1)
     on conflict (tenant, kind) do update set value = procura.epoch.value + 1
     returning value`,
    [tenant],
  )
  const epoch = Number(raised.rows[0]?.value)
  const eventId = newId('evt', tx.now)
  await tx.query(
    `insert into procura.policy_set
       (tenant, epoch, hash, schema_hash, files, published_at, published_by, event_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [tenant, epoch, set.hash, set.schemaHash, set.files, tx.now, act.actor.id, eventId],
  )
  const hashes = { beforeHash: last?.hash ?? null, afterHash: set.hash }
  const change = { type: 'admin_change', kind: 'policy_set', name: 'policies' } as const
  const entry: PolicyChange = { ...change, ...hashes, act, eventId, reasonCode: 'published' }
  return { entries: [entry], value: epoch, answer: null }
}

/** 0 before the first publication. */
export async function epochInForce(pool: Pool, tenant: string): Promise<number> {
  const [row] = await ask<{ value: string }>(pool, {
    name: 'policy_epoch',
    text: `select value from procura.epoch where tenant = $1 and kind = 'policy'`,
    values: [tenant],
  })
  return Number(row?.value ?? 0)
}

export async function newestSet(pool: Pool, tenant: string): Promise<StoredSet | null> {
  const [row] = await ask<Row>(pool, {
    name: 'policy_set_newest',
    text: `select epoch, hash, files from procura.policy_set
           where tenant = $1 order by epoch desc limit 1`,
    values: [tenant],
  })
  return row ? { ...row, epoch: Number(row.epoch) } : null
}

export async function setByHash(
  pool: Pool,
  tenant: string,
  hash: string,
): Promise<StoredSet | null> {
  const [row] = await ask<Row>(pool, {
    name: 'policy_set_by_hash',
    text: `select epoch, hash, files from procura.policy_set
           where tenant = $1 and hash = $2 order by epoch desc limit 1`,
    values: [tenant, hash],
  })
  return row ? { ...row, epoch: Number(row.epoch) } : null
}

type Row = { epoch: string; hash: string; files: PolicyFiles }
