/** What a turn left on disk: rows of the ledger, and the transactions that wrote them. */
import { type Side, withClient } from './world.ts'

/** Where the ledger and the server's own log were. */
export interface Mark {
  readonly nextIndex: number
  readonly lsn: string
}

export interface Written {
  readonly leaves: number
  /** Transactions that wrote leaves. */
  readonly leafCommits: number
  /** Every transaction that wrote anything; NaN where the server's log cannot be read. */
  readonly commits: number
}

export async function markOf({ databaseUrl, table }: Side): Promise<Mark> {
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ next: string; lsn: string }>(
      `select coalesce(max(index) + 1, 0) as next, pg_current_wal_lsn()::text as lsn from ${table}`,
    )
    return { nextIndex: Number(rows[0]?.next), lsn: rows[0]?.lsn ?? '' }
  })
}

/** Leaves of mints since then; each transaction has written its number into them. */
export async function writtenSince(
  { databaseUrl, table, walUrl }: Side,
  since: Mark,
): Promise<Written> {
  const isMint =
    table === 'leaf' ? 'true' : `tenant = 'main' and event_type in ('decision', 'issuance')`
  const found = await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ leaves: string; commits: string }>(
      `select count(*) as leaves, count(distinct xmin::text) as commits from ${table}
       where index >= $1 and ${isMint}`,
      [since.nextIndex],
    )
    return { leaves: Number(rows[0]?.leaves), leafCommits: Number(rows[0]?.commits) }
  })
  return { ...found, commits: await commitsSince(walUrl, since.lsn) }
}

/** The extension that reads the server's log comes with most PostgreSQLs, but not with each. */
async function commitsSince(walUrl: string, lsn: string): Promise<number> {
  return await withClient(walUrl, async (client) => {
    const { rows } = await client.query<{ is: boolean }>(
      `select exists (select from pg_extension where extname = 'pg_walinspect') as is`,
    )
    if (rows[0]?.is !== true) return NaN
    const { rows: counted } = await client.query<{ count: string }>(
      `select sum(count) as count from pg_get_wal_stats($1, pg_current_wal_flush_lsn(), true)
       where "resource_manager/record_type" = 'Transaction/COMMIT'`,
      [lsn],
    )
    return Number(counted[0]?.count)
  })
}
