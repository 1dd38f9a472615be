/** What is read, changed and written back at a target: one at a time, over all brokers of a database. */
import type { Pool } from 'pg'
import { inTransaction } from '../db/connect.ts'
import { within } from './deadline.ts'

/** Less than a transaction may idle, or another would be let in while this one is at work. */
const WORK_MS = 4000
/** Apart from the locks of the log, its signer and the migrations. */
const LOCK = 6970

/**
 * Runs `work` while nobody else runs any under the same name. Its signal fires after four seconds, unless it is done.
 *
 * @throws when it is not this one's turn within the time that a lock may be waited for
 */
export type Exclusively = <T>(name: string, work: (signal: AbortSignal) => Promise<T>) => Promise<T>

export function createExclusively(pool: Pool): Exclusively {
  // One connection is all that is held, whatever targets do: the others are for those who do not wait.
  let last: Promise<unknown> = Promise.resolve()
  return (name, work) => {
    const turn = last.then(() => taken(pool, name, work))
    last = turn.catch(() => undefined)
    return turn
  }
}

function taken<T>(pool: Pool, name: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  return inTransaction(pool, async (tx) => {
    await tx.begun
    await tx.query({
      name: 'exclusively',
      text: 'select pg_advisory_xact_lock($1, hashtext($2))',
      values: [LOCK, name],
    })
    return await within(WORK_MS, work)
  })
}
