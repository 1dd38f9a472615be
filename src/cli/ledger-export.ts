/** The log as lines of an export, from a broker or from its database, up to the newest checkpoint. */
import type { Pool } from 'pg'
import type { Caller } from '../client/person.ts'
import { Unreachable } from '../client/errors.ts'
import { canonical, isObject, type Json, type JsonObject } from '../domain/json.ts'
import { bodyOf, readCheckpoint } from '../ledger/checkpoint.ts'
import { CommandError } from './exit.ts'

const PAGE = 200
const ROWS = 1000

/** What a note says, whoever signed it. */
export function headOf(note: string) {
  const { origin, size, root } = readCheckpoint(bodyOf(note))
  return { origin, size, root: root.toString('base64') }
}

/** The newest signed note of a broker; it is public. */
export async function fetchCheckpoint(issuer: string): Promise<string> {
  const url = `${issuer}/v1/ledger/checkpoint`
  const answer = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(20_000) }).catch(
    (cause: unknown) => {
      throw new Unreachable(`no answer from ${issuer}`, { cause })
    },
  )
  if (answer.status !== 200) throw new CommandError(`the broker has no checkpoint yet`)
  return await answer.text()
}

/** As an auditor, over HTTP. The text of a leaf is the canonical form of its record. */
export async function* overHttp(issuer: string, auditor: Caller): AsyncGenerator<string> {
  const note = await fetchCheckpoint(issuer)
  const { origin, size } = headOf(note)
  yield line({ format: FORMAT, origin })
  for (let start = 0; start < size; start += PAGE) {
    const limit = Math.min(PAGE, size - start)
    const query = `start=${String(start)}&limit=${String(limit)}`
    const { items } = await auditor.get(`/v1/ledger/entries?${query}`)
    for (const item of entriesIn(items, limit)) {
      yield line({ leaf: canonical(item['record'] ?? null), hash: item['leaf_hash'] ?? null })
    }
  }
  yield line({ checkpoint: note })
}

/** From the database itself, with every checkpoint. @param pool as procura_verify */
export async function* fromDatabase(
  pool: Pick<Pool, 'query'>,
  tenant: string,
): AsyncGenerator<string> {
  const { rows: notes } = await pool.query<{ note: string }>(
    'select note from ledger.checkpoint where tenant = $1 order by size',
    [tenant],
  )
  const newest = notes.at(-1)
  if (newest === undefined) throw new CommandError('the ledger has no checkpoint yet')
  const { origin, size } = headOf(newest.note)
  yield line({ format: FORMAT, origin })
  for (let start = 0; start < size; start += ROWS) {
    const { rows } = await pool.query<{ leaf: string; hash: string }>(
      `select entry as leaf, encode(hash, 'base64') as hash from ledger.leaf
       where tenant = $1 and index >= $2 and index < $3 order by index`,
      [tenant, start, Math.min(size, start + ROWS)],
    )
    for (const { leaf, hash } of rows) yield line({ leaf, hash })
  }
  for (const { note } of notes) yield line({ checkpoint: note })
}

const FORMAT = 'procura-ledger-export/1'
const line = (item: JsonObject) => JSON.stringify(item)

/** A page that is short would pass for a log that is. */
function entriesIn(items: Json | undefined, expected: number): JsonObject[] {
  const entries = Array.isArray(items) ? items.filter(isObject) : []
  if (entries.length !== expected) throw new CommandError('the broker left entries out')
  return entries
}
