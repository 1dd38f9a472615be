/** What auditors read of the log: entries, checkpoints, proofs. */
import type { Pool } from 'pg'
import { isOutage } from '../db/outage.ts'
import { type JsonObject, parseTrusted } from '../domain/json.ts'
import { BrokerError, unavailable } from '../domain/problems.ts'
import { consistencyProof, type Hash, inclusionProof } from './merkle.ts'
import type { Sealer } from './sealed.ts'
import { nodesOf } from './tree.ts'

export interface EntryFilter {
  readonly start: number
  readonly limit: number
  readonly eventType?: string | undefined
  /** An id that the leaf names anywhere. */
  readonly subject?: string | undefined
}

export interface Entry {
  readonly index: number
  /** Standard base64, as everything of a proof. */
  readonly leafHash: string
  readonly record: JsonObject
  /** The exact bytes that are hashed. */
  readonly leaf: string
  /** What was sealed; `null` when nothing was, or when it has been erased. */
  readonly opened: JsonObject | null
}

export interface Inclusion {
  readonly index: number
  readonly size: number
  readonly leafHash: string
  readonly hashes: readonly string[]
  readonly checkpoint: string
}

export interface Consistency {
  readonly from: number
  readonly to: number
  readonly hashes: readonly string[]
  readonly checkpoint: string
}

export interface LedgerReader {
  entries(filter: EntryFilter): Promise<{ size: number; items: Entry[]; nextStart: number | null }>
  /** The newest signed note, or that of a size. */
  checkpoint(size?: number): Promise<string>
  /** The leaf of an event, or at an index, in the newest checkpointed tree or that of `size`. */
  inclusion(which: { index: number } | { eventId: string }, size?: number): Promise<Inclusion>
  consistency(from: number, to: number): Promise<Consistency>
  /** The leaf of an event; `null` if there is none. */
  entryOf(eventId: string): Promise<Entry | null>
  opened(payloadId: string): Promise<JsonObject | null>
}

/** @param pool connects as procura_front: it reads the log and the sealed payloads */
export function createReader({
  tenant,
  pool,
  sealer,
}: {
  readonly tenant: string
  readonly pool: Pool
  readonly sealer: Sealer
}): LedgerReader {
  const fetch = nodesOf(pool, tenant)

  async function rowsOf<Row extends object>(text: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await pool.query<Row>(text, values)).rows
    } catch (error) {
      throw isOutage(error) ? unavailable('database', error) : error
    }
  }

  async function opened(payloadId: string): Promise<JsonObject | null> {
    const [row] = await rowsOf<{ wrappedKey: Buffer; nonce: Buffer; ciphertext: Buffer }>(
      `select wrapped_key as "wrappedKey", nonce, ciphertext from procura.sealed_payload
       where tenant = $1 and id = $2`,
      [tenant, payloadId],
    )
    return row === undefined ? null : sealer.open({ id: payloadId, ...row })
  }

  async function entryOf({ index, hash, entry, event_id }: LeafRow): Promise<Entry> {
    const record = parseTrusted(entry) as JsonObject
    const sealed = record['sealed'] === undefined ? null : await opened(event_id)
    return { index, leafHash: base64(hash), record, leaf: entry, opened: sealed }
  }

  async function signedAt(
    size: number | undefined,
  ): Promise<{ size: number; note: string } | null> {
    const [row] = await rowsOf<{ size: number; note: string }>(
      `select size, note from ledger.checkpoint
       where tenant = $1 and ($2::bigint is null or size = $2) order by size desc limit 1`,
      [tenant, size ?? null],
    )
    if (row === undefined && size !== undefined) throw noSuch('size', 'has no checkpoint')
    return row ?? null
  }

  return {
    opened,
    async entries({ start, limit, eventType, subject }) {
      const rows = await rowsOf<LeafRow>(
        `select index, hash, entry, event_id from ledger.leaf
         where tenant = $1 and index >= $2 and ($3::text is null or event_type = $3)
           and ($4::text is null or strpos(entry, '"' || $4 || '"') > 0)
         order by index limit $5`,
        [tenant, start, eventType ?? null, subject ?? null, limit],
      )
      const size = await sizeOf(rowsOf, tenant)
      const items: Entry[] = []
      for (const row of rows) items.push(await entryOf(row))
      const last = items.at(-1)
      return { size, items, nextStart: items.length === limit && last ? last.index + 1 : null }
    },
    async checkpoint(size) {
      return (await signedAt(size))?.note ?? notYet()
    },
    async inclusion(which, size) {
      const [column, value] =
        'index' in which ? ['index', which.index] : ['event_id', which.eventId]
      const [leaf] = await rowsOf<LeafRow>(
        `select index, hash, entry, event_id from ledger.leaf
         where tenant = $1 and ${String(column)} = $2`,
        [tenant, value],
      )
      if (leaf === undefined) {
        throw 'index' in which ? noSuch('index', 'is beyond the log') : new BrokerError('not_found')
      }
      const signed = await signedAt(size)
      if (signed === null || (size === undefined && leaf.index >= signed.size)) return notYet()
      if (leaf.index >= signed.size) throw noSuch('size', 'does not cover the leaf')
      const hashes = await inclusionProof({ index: leaf.index, size: signed.size }, fetch)
      return {
        ...{ index: leaf.index, size: signed.size, leafHash: base64(leaf.hash) },
        ...{ hashes: hashes.map(base64), checkpoint: signed.note },
      }
    },
    async consistency(from, to) {
      if (from > to) throw noSuch('from', 'is larger than `to`')
      const signed = await signedAt(to)
      if (signed === null) return notYet()
      const hashes = await consistencyProof({ from, to }, fetch)
      return { from, to, hashes: hashes.map(base64), checkpoint: signed.note }
    },
    async entryOf(eventId) {
      const [row] = await rowsOf<LeafRow>(
        `select index, hash, entry, event_id from ledger.leaf where tenant = $1 and event_id = $2`,
        [tenant, eventId],
      )
      return row === undefined ? null : await entryOf(row)
    },
  }
}

interface LeafRow {
  readonly index: number
  readonly hash: Buffer
  readonly entry: string
  readonly event_id: string
}

async function sizeOf(
  rowsOf: <Row extends object>(text: string, values: unknown[]) => Promise<Row[]>,
  tenant: string,
): Promise<number> {
  const [row] = await rowsOf<{ size: number }>(
    'select coalesce(max(index) + 1, 0) as size from ledger.leaf where tenant = $1',
    [tenant],
  )
  return row?.size ?? 0
}

function notYet(): never {
  throw new BrokerError('not_yet_checkpointed', { shown: { retryAfterSeconds: 1 } })
}

function noSuch(name: string, rule: string): BrokerError {
  return new BrokerError('schema_violation', { shown: { errors: [{ pointer: `/${name}`, rule }] } })
}

const base64 = (hash: Hash) => Buffer.from(hash).toString('base64')
