/** What a turn left in the ledger: rows, and the transactions that wrote them. */
import { withClient } from './world.ts'

export interface Written {
  readonly leaves: number
  readonly commits: number
}

/** Leaves of mints from this index on; each transaction has written its number into them. */
export async function writtenSince(
  databaseUrl: string,
  table: 'ledger.leaf' | 'leaf',
  first: number,
): Promise<Written> {
  const isMint =
    table === 'leaf' ? 'true' : `tenant = 'main' and event_type in ('decision', 'issuance')`
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<Record<keyof Written, string>>(
      `select count(*) as leaves, count(distinct xmin::text) as commits from ${table}
       where index >= $1 and ${isMint}`,
      [first],
    )
    return { leaves: Number(rows[0]?.leaves), commits: Number(rows[0]?.commits) }
  })
}

export async function nextIndex(
  databaseUrl: string,
  table: 'ledger.leaf' | 'leaf',
): Promise<number> {
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ next: string }>(
      `select coalesce(max(index) + 1, 0) as next from ${table}`,
    )
    return Number(rows[0]?.next)
  })
}
