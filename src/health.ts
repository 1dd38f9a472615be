/** Ready is: a leaf can be appended, the newest rules decide right, and what is recorded is signed. */
import type { Pool } from 'pg'
import type { Clock } from './domain/clock.ts'
import type { Readiness } from './http/front.ts'

/** An answer serves everybody who asks within this time: asking takes turns that appends need. */
const FRESH_MS = 1000
/** Checkpoints are promised within five seconds of a leaf. */
const UNSIGNED_MS_MAX = 10_000

export interface HealthOptions {
  readonly tenant: string
  readonly clock: Clock
  /** The front's: it appends. */
  readonly pool: Pool
  /** The other sides': each has to answer. */
  readonly others: readonly Pool[]
  readonly isPolicyHealthy: () => boolean
  /** When everything recorded was last known to be signed. */
  readonly signedAt: () => Date
  readonly isDraining: () => boolean
}

export function createHealth(options: HealthOptions): { ready(): Promise<Readiness> } {
  const { clock } = options
  let last: { readonly at: number; readonly answer: Promise<Readiness> } | null = null
  return {
    ready() {
      if (options.isDraining()) return Promise.resolve({ failing: 'draining' })
      const now = clock().getTime()
      if (last === null || now - last.at >= FRESH_MS) last = { at: now, answer: look(options) }
      return last.answer
    },
  }
}

/** `failing` names the first part that is not there. */
async function look(options: HealthOptions): Promise<Readiness> {
  const { tenant, pool, others, clock, signedAt } = options
  if (!(await canRecord(pool, tenant))) return { failing: 'ledger' }
  for (const other of others) if (!(await answers(other))) return { failing: 'database' }
  if (!options.isPolicyHealthy()) return { failing: 'policy' }
  const isSigned = clock().getTime() - signedAt().getTime() < UNSIGNED_MS_MAX
  return { failing: isSigned ? null : 'checkpoints' }
}

/** Takes the turn to append and writes, as every record does, and undoes it. */
async function canRecord(pool: Pool, tenant: string): Promise<boolean> {
  return await tried(pool, async (query) => {
    await query('begin')
    await query('select next from ledger.turn($1)', [tenant])
    await query(
      `insert into procura.used_proof (tenant, key, expires_at)
       values ($1, 'readiness', clock_timestamp())`,
      [tenant],
    )
    await query('rollback')
  })
}

const answers = (pool: Pool) => tried(pool, (query) => query('select'))

type Query = (text: string, values?: unknown[]) => Promise<unknown>

/** No is the answer here, whatever went wrong: the part that failed tells its own log why. */
async function tried(pool: Pool, work: (query: Query) => Promise<unknown>): Promise<boolean> {
  try {
    const client = await pool.connect()
    const outcome = await work((text, values) => client.query(text, values)).then(
      () => true,
      () => false,
    )
    client.release(!outcome)
    return outcome
  } catch {
    return false
  }
}
