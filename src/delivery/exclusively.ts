/** What is read, changed and written back at a target: one at a time, over all brokers of a database. */
import type { Pool } from 'pg'
import { inTransaction } from '../db/connect.ts'
import { within } from './deadline.ts'

/** Less than a transaction may idle, or another would be let in while this one is at work. */
const WORK_MS = 4000
/** Apart from the locks of the log, its signer and the migrations. */
const LOCK = 6970

export interface Turn {
  /** Fires after four seconds, unless the work is done. */
  readonly signal: AbortSignal
  /**
   * Asked right before what only one may do: a process that stood still is told of no signal until that is done.
   *
   * @throws DOMException `TimeoutError` when another may have been let in
   */
  readonly goOn: () => void
}

/**
 * Runs `work` while nobody else runs any under the same name.
 *
 * @throws when it is not this one's turn within the time that a lock may be waited for
 */
export type Exclusively = <T>(name: string, work: (turn: Turn) => Promise<T>) => Promise<T>

/** @param elapsed in milliseconds, by a clock that goes on while the process stands still */
export function createExclusively(
  pool: Pool,
  elapsed: () => number = () => performance.now(),
): Exclusively {
  // One connection is all that is held, whatever targets do: the others are for those who do not wait.
  let last: Promise<unknown> = Promise.resolve()
  return (name, work) => {
    const turn = last.then(() => taken({ pool, elapsed }, name, work))
    last = turn.catch(() => undefined)
    return turn
  }
}

interface Taking {
  readonly pool: Pool
  readonly elapsed: () => number
}

function taken<T>(
  { pool, elapsed }: Taking,
  name: string,
  work: (turn: Turn) => Promise<T>,
): Promise<T> {
  return inTransaction(pool, async (tx) => {
    await tx.begun
    const asked = elapsed()
    const { rows } = await tx.query<{ waited: number }>({
      name: 'exclusively',
      text: `select pg_advisory_xact_lock($1, hashtext($2)),
               extract(epoch from clock_timestamp() - statement_timestamp())::float8 * 1000 as waited`,
      values: [LOCK, name],
    })
    // The lock is held from then on at the earliest; the database's clock may have been set meanwhile.
    const since = Math.min(elapsed(), asked + Math.max(0, rows[0]?.waited ?? 0))
    const goOn = () => {
      if (elapsed() - since > WORK_MS) {
        throw new DOMException('This process stood still', 'TimeoutError')
      }
    }
    return await within(WORK_MS, (signal) => work({ signal, goOn }))
  })
}
