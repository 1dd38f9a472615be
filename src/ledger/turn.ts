/** The turn to append: one lock for the whole log, held until the transaction is over. */
import { type ClientBase, escapeLiteral, type Pool, type QueryResult } from 'pg'

export interface Turn {
  /** The index of the next leaf. */
  readonly next: number
  /** The database's clock. */
  readonly now: Date
  readonly lastRecordedAt: string | null
}

interface Row {
  readonly next: number
  readonly now: Date
  readonly last: string | null
}

/**
 * Begins a transaction and waits for the turn: one message for both. What is sent behind it is in that
 * transaction, or refused: it has begun before the turn can fail.
 */
export async function takeTurn(client: ClientBase, tenant: string): Promise<Turn> {
  const answers: unknown = await client.query(
    `begin; select next, now, last_recorded_at as last from ledger.turn(${escapeLiteral(tenant)})`,
  )
  const [, told] = answers as readonly [unknown, QueryResult<Row>]
  const row = told.rows[0]
  if (row === undefined) throw new Error('the ledger gave no turn')
  return { next: row.next, now: row.now, lastRecordedAt: row.last }
}

/** The same turn at a later time, which is asked behind whatever was asked before. */
export async function turnLater(client: ClientBase, turn: Turn): Promise<Turn> {
  const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now')
  const [row] = rows
  if (row === undefined) throw new Error('the database did not tell its time')
  return { ...turn, now: row.now }
}

/**
 * Whether a transaction whose commit was never answered has committed, told by one leaf of it. It is
 * asked in a turn, so that the transaction is over by then.
 *
 * @throws when that cannot be found out now
 */
export async function wereRecorded(
  pool: Pool,
  tenant: string,
  { index, eventId }: { readonly index: number; readonly eventId: string },
): Promise<boolean> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await takeTurn(client, tenant)
    const { rows } = await client.query<{ held: boolean }>(
      'select ledger.holds($1, $2, $3) as held',
      [tenant, index, eventId],
    )
    // Seen here is not yet had by a standby that commits wait for: a commit after it, with something in
    // it, is answered only when that one has both.
    await client.query(`select pg_logical_emit_message(true, 'procura', '')`)
    await client.query('commit')
    return rows[0]?.held === true
  } catch (error) {
    broken = error as Error
    throw error
  } finally {
    client.release(broken)
  }
}
