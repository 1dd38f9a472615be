/**
 * The time that windows are judged by: the database's, carried on by a clock that nobody can set. A
 * machine's own clock may be an hour off, or step while we run; nothing here believes it.
 */
import type { Pool } from 'pg'
import type { Clock } from './domain/clock.ts'

/** What took longer does not tell the time. */
const ROUND_TRIP_MS_MAX = 1000

export interface HouseClock {
  readonly now: Clock
  /** Looks at the database's clock again. */
  check(): Promise<void>
  /** How far the clock of this machine is ahead of the database's, in milliseconds. */
  offsetMs(): number
}

/**
 * @param local the clock of this machine
 * @param elapsed a monotonic clock, in milliseconds
 * @throws Error where the database cannot be asked
 */
export async function createHouseClock(
  pool: Pick<Pool, 'query'>,
  local: Clock,
  elapsed: () => number = () => performance.now(),
): Promise<HouseClock> {
  let origin = await look(Infinity)

  /** When it was `elapsed` zero there, in milliseconds since 1970. */
  async function look(roundTripMsMax: number): Promise<number> {
    const asked = elapsed()
    const { rows } = await pool.query<{ now: Date }>('select clock_timestamp() as now')
    const told = elapsed()
    const [row] = rows
    if (row === undefined) throw new Error('the database did not tell its time')
    if (told - asked > roundTripMsMax) return origin
    return row.now.getTime() - (asked + told) / 2
  }

  const now = () => new Date(origin + elapsed())
  return {
    now,
    async check() {
      origin = await look(ROUND_TRIP_MS_MAX)
    },
    offsetMs: () => local().getTime() - now().getTime(),
  }
}
