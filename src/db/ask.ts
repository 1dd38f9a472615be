/** Asking the database, for a part that must tell "nobody answered" from any answer. */
import type { Pool, QueryConfig, QueryResultRow } from 'pg'
import { unavailable } from '../domain/problems.ts'
import { isOutage } from './outage.ts'

/** The rows of a query; throws `unavailable` when the database did not do its part. */
export async function ask<Row extends QueryResultRow>(
  pool: Pick<Pool, 'query'>,
  query: QueryConfig,
): Promise<Row[]> {
  try {
    return (await pool.query<Row>(query)).rows
  } catch (error) {
    throw isOutage(error) ? unavailable('database', error) : error
  }
}
