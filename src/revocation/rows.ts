/** The rows of a query, in a transaction that somebody opened or outside of one. */
import type { Pool, QueryConfig } from 'pg'
import { ask } from '../db/ask.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Tx } from '../domain/tx.ts'

export type Rows = <Row extends Record<string, unknown>>(query: QueryConfig) => Promise<Row[]>

export const rowsIn =
  (tx: Pick<Tx, 'query'>): Rows =>
  async <Row extends Record<string, unknown>>(query: QueryConfig) =>
    (await tx.query<Row>(query)).rows

export const rowsOf =
  (pool: Pool): Rows =>
  (query) =>
    ask(pool, query)

/** Works on each: what one of them throws keeps nobody behind it waiting. An outage ends it at once. */
export async function eachTried<Row>(
  rows: readonly Row[],
  work: (row: Row) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  for (const row of rows) {
    try {
      await work(row)
    } catch (error) {
      if (error instanceof BrokerError && error.code === 'unavailable') throw error
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
}
