/** The stored log, held against what has been seen of it: the newest checkpoint in the file outside. */
import type { Pool, PoolClient } from 'pg'
import { openCheckpoint } from './checkpoint.ts'
import { edgeOf, rootOf } from './merkle.ts'
import { nodesOf } from './tree.ts'

type Queryable = Pick<Pool | PoolClient, 'query'>

export interface Seen {
  readonly tenant: string
  /** The file outside the database, to be named. */
  readonly file: string
  readonly vkey: string
  /** The newest note in it, read before the log is looked at. */
  readonly note: string
}

/** @throws Error when the log is shorter than what was seen of it, or another one; NoteError */
export async function checkAgainstSeen(db: Queryable, seen: Seen): Promise<void> {
  const { size, root } = openCheckpoint(seen.note, [seen.vkey])
  const stored = await rootAt(db, seen.tenant, size)
  if (stored !== null && Buffer.compare(stored, root) === 0) return
  throw new Error(
    `the ledger is not what ${seen.file} has seen of it at size ${String(size)}: it was rolled back ` +
      'or replaced. Restore the newest database; or, if the loss is meant, move that file away',
  )
}

async function rootAt(db: Queryable, tenant: string, size: number): Promise<Uint8Array | null> {
  const { rows } = await db.query<{ size: number }>(
    'select coalesce(max(size), 0) as size from ledger.checkpoint where tenant = $1',
    [tenant],
  )
  if ((rows[0]?.size ?? 0) < size) return null
  return rootOf({ edge: await nodesOf(db, tenant)(edgeOf(size)) })
}
