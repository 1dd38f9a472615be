/** Another connection that has the turn of the ledger, so that everybody else waits. */
import { expect, onTestFinished, vi } from 'vitest'
import type { Role } from '../../src/db/connect.ts'
import type { TestDatabase } from './database.ts'

const OF_THIS_DATABASE = `locktype = 'advisory' and not granted
  and database = (select oid from pg_database where datname = current_database())`
const WAIT = { timeout: 10_000, interval: 5 }

/** Those who wait for the turn, by SQL that ends in `from pg_locks`. */
export const ofWaiting = (sql: string) => `${sql} from pg_locks where ${OF_THIS_DATABASE}`

/** Until it is let go of, or the test is over. */
export async function turnOfAnother(db: TestDatabase, role: Role) {
  const other = await db.pool(role, 1).connect()
  onTestFinished(async () => {
    await other.query('rollback')
    other.release()
  })
  await other.query(`begin; select from ledger.turn('main')`)
  return {
    query: (sql: string, values: readonly unknown[]) => other.query(sql, [...values]),
    letGo: () => other.query('commit'),
    /** Resolves when one transaction waits for the turn. */
    untilWaiting: () =>
      vi.waitFor(async () => {
        expect(await db.query(ofWaiting('select'))).toHaveLength(1)
      }, WAIT),
  }
}
