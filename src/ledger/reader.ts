/** What auditors read of the log, entry by entry, with what was sealed beside it. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { type JsonObject, parseTrusted } from '../domain/json.ts'
import { createProofs, type Proofs } from './proofs.ts'
import type { Sealer } from './sealed.ts'

export interface EntryFilter {
  readonly start: number
  readonly limit: number
  readonly eventType?: string | undefined
  /** An id that the leaf names anywhere. */
  readonly subject?: string | undefined
}

export interface Entry {
  readonly index: number
  /** Standard base64. */
  readonly leafHash: string
  readonly record: JsonObject
  /** The exact bytes that are hashed. */
  readonly leaf: string
  /** What was sealed; `null` when nothing was, or when it has been erased. */
  readonly opened: JsonObject | null
}

export interface LedgerReader extends Proofs {
  /** Oldest first. */
  entries(filter: EntryFilter): Promise<{ size: number; items: Entry[]; nextStart: number | null }>
  /** The leaf of an event; `null` if there is none. */
  entryOf(eventId: string): Promise<Entry | null>
  opened(payloadId: string): Promise<JsonObject | null>
}

export interface ReaderOptions {
  readonly tenant: string
  /** Of the front: it reads the log and the sealed payloads. */
  readonly pool: Pool
  readonly sealer: Sealer
}

export function createReader(options: ReaderOptions): LedgerReader {
  const { tenant, pool } = options
  return {
    ...createProofs(options),
    opened: (payloadId) => opened(options, payloadId),

    async entries({ start, limit, eventType, subject }) {
      const rows = await ask<LeafRow>(pool, {
        name: 'ledger_entries',
        text: `select index, hash, entry, event_id from ledger.leaf
               where tenant = $1 and index >= $2 and ($3::text is null or event_type = $3)
                 and ($4::text is null or strpos(entry, '"' || $4 || '"') > 0)
               order by index limit $5`,
        values: [tenant, start, eventType ?? null, subject ?? null, limit],
      })
      const items: Entry[] = []
      for (const row of rows) items.push(await entryFrom(options, row))
      const last = items.at(-1)
      const nextStart = items.length === limit && last ? last.index + 1 : null
      return { size: await sizeOf(options), items, nextStart }
    },

    async entryOf(eventId) {
      const [row] = await ask<LeafRow>(pool, {
        name: 'ledger_entry_of',
        text: `select index, hash, entry, event_id from ledger.leaf
               where tenant = $1 and event_id = $2`,
        values: [tenant, eventId],
      })
      return row === undefined ? null : await entryFrom(options, row)
    },
  }
}

interface LeafRow {
  readonly index: number
  readonly hash: Buffer
  readonly entry: string
  readonly event_id: string
}

async function entryFrom(options: ReaderOptions, row: LeafRow): Promise<Entry> {
  const { index, hash, entry, event_id: eventId } = row
  const record = parseTrusted(entry) as JsonObject
  const sealed = record['sealed'] === undefined ? null : await opened(options, eventId)
  return { index, leafHash: hash.toString('base64'), record, leaf: entry, opened: sealed }
}

interface PayloadRow {
  readonly wrappedKey: Buffer
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}

async function opened(
  { tenant, pool, sealer }: ReaderOptions,
  id: string,
): Promise<JsonObject | null> {
  const [row] = await ask<PayloadRow>(pool, {
    name: 'ledger_sealed',
    text: `select wrapped_key as "wrappedKey", nonce, ciphertext from procura.sealed_payload
           where tenant = $1 and id = $2`,
    values: [tenant, id],
  })
  return row === undefined ? null : sealer.open({ id, ...row })
}

async function sizeOf({ tenant, pool }: ReaderOptions): Promise<number> {
  const [row] = await ask<{ size: number }>(pool, {
    name: 'ledger_size',
    text: 'select coalesce(max(index) + 1, 0) as size from ledger.leaf where tenant = $1',
    values: [tenant],
  })
  return row?.size ?? 0
}
