/** The rows of a query, in a transaction that somebody opened or outside of one. */
import type { Pool, QueryConfig } from 'pg'
import { ask } from '../db/ask.ts'
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
