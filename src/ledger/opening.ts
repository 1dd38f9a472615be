/** At start: the first leaf of a new log; and no going on with a log that lost what others have seen. */
import type { Pool } from 'pg'
import type { Ledger } from '../domain/ports.ts'
import { bySystem } from '../domain/request.ts'
import { openCheckpoint } from './checkpoint.ts'
import { edgeOf, rootOf } from './merkle.ts'
import { nodesOf } from './tree.ts'
import { appendCheckpoint, newestCheckpoint } from './witness.ts'

/** Writes index 0, unless it is there. */
export async function openLog(ledger: Ledger, tenant: string, origin: string): Promise<void> {
  await ledger.record(null, async (tx) => {
    const { rows } = await tx.query('select from ledger.leaf where tenant = $1 limit 1', [tenant])
    const first = { type: 'log_opened', act: bySystem('start'), name: origin } as const
    return { entries: rows.length === 0 ? [first] : [], value: null, answer: null }
  })
}

export interface SeenOptions {
  readonly tenant: string
  readonly pool: Pool
  /** The file outside the database. */
  readonly file: string
  readonly vkey: string
}

/**
 * Holds the stored log against the newest checkpoint in the file outside the database.
 *
 * @throws Error when the log is shorter than what was seen of it, or another one
 */
export async function checkAgainstSeen({ tenant, pool, file, vkey }: SeenOptions): Promise<void> {
  const seen = await newestCheckpoint(file)
  if (seen !== null) {
    const { size, root } = openCheckpoint(seen, [vkey])
    const stored = await rootAt(pool, tenant, size)
    if (stored === null || Buffer.compare(stored, root) !== 0) {
      throw new Error(
        `the ledger is not what ${file} has seen of it at size ${String(size)}: it was rolled back ` +
          'or replaced. Restore the newest database; or, if the loss is meant, move that file away',
      )
    }
  }
  const newest = await storedCheckpoint(pool, tenant)
  if (newest !== null && newest !== seen) await appendCheckpoint(file, newest)
}

async function rootAt(pool: Pool, tenant: string, size: number): Promise<Uint8Array | null> {
  const { rows } = await pool.query<{ size: number }>(
    'select coalesce(max(size), 0) as size from ledger.checkpoint where tenant = $1',
    [tenant],
  )
  if ((rows[0]?.size ?? 0) < size) return null
  return rootOf({ edge: await nodesOf(pool, tenant)(edgeOf(size)) })
}

async function storedCheckpoint(pool: Pool, tenant: string): Promise<string | null> {
  const { rows } = await pool.query<{ note: string }>(
    'select note from ledger.checkpoint where tenant = $1 order by size desc limit 1',
    [tenant],
  )
  return rows[0]?.note ?? null
}
