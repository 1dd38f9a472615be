/** Ready is: a leaf can be appended, the newest rules decide right, and what is recorded is signed. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Clock } from './domain/clock.ts'
import type { Readiness, Warning } from './http/front.ts'

/** An answer serves everybody who asks within this time: asking takes turns that appends need. */
const FRESH_MS = 1000
/** Checkpoints are promised within five seconds of a leaf. */
const UNSIGNED_MS_MAX = 10_000
/** This machine's clock against the database's. What we sign and judge does not use it; others here do. */
const OFFSET_MS_MAX = 5000
/** Whoever asks again and again learns of a drain before the door is shut. */
const TELL_MS = { least: 1000, most: 5000 }
const TELL_LOOK_MS = 20
/** Until whoever asked has the answer, and has sent others elsewhere. */
const ACTED_MS = 250

export interface HealthOptions {
  readonly tenant: string
  readonly clock: Clock
  /** It appends. */
  readonly pool: Pool
  /** Something that this pool may write, and nobody reads: `$1` is the tenant. */
  readonly trial?: string
  /** The other sides': each has to answer. */
  readonly others: readonly Pool[]
  readonly isPolicyHealthy?: () => boolean
  /** When everything recorded was last known to be signed. */
  readonly signedAt?: () => Date
  /** Whether what is sealed could be opened, and what is in a token is there to sign. */
  readonly areKeysThere?: () => Promise<boolean>
  /** Whether the other process is there, and ready. */
  readonly isPeerReady?: () => Promise<boolean>
  readonly isDraining: () => boolean
  /** What does not keep it from working, and should be mended. */
  readonly warnings?: () => readonly Warning[]
}

export function createHealth(options: HealthOptions): { ready(): Promise<Readiness> } {
  const { clock } = options
  let last: { readonly at: number; readonly answer: Promise<Readiness> } | null = null
  return {
    ready() {
      if (options.isDraining()) return Promise.resolve({ failing: 'draining' })
      const now = clock().getTime()
      if (last === null || now - last.at >= FRESH_MS)
        last = { at: now, answer: lookAndWarn(options) }
      return last.answer
    },
  }
}

async function lookAndWarn(options: HealthOptions): Promise<Readiness> {
  const warnings = options.warnings?.() ?? []
  return { ...(await look(options)), ...(warnings.length > 0 && { warnings }) }
}

/** `failing` names the first part that is not there. */
async function look(options: HealthOptions): Promise<Readiness> {
  const { clock, signedAt = clock } = options
  if (!(await canRecord(options))) return { failing: 'ledger' }
  for (const other of options.others) if (!(await answers(other))) return { failing: 'database' }
  if (options.isPolicyHealthy?.() === false) return { failing: 'policy' }
  if ((await options.areKeysThere?.()) === false) return { failing: 'keys' }
  if ((await options.isPeerReady?.()) === false) return { failing: 'peer' }
  const isSigned = clock().getTime() - signedAt().getTime() < UNSIGNED_MS_MAX
  return { failing: isSigned ? null : 'checkpoints' }
}

const TRIAL = `insert into procura.used_proof (tenant, key, expires_at)
  values ($1, 'readiness', clock_timestamp())`

/** Takes the turn to append and writes, as every record does, and undoes it. */
async function canRecord({ pool, tenant, trial = TRIAL }: HealthOptions): Promise<boolean> {
  return await tried(pool, async (query) => {
    await query('begin')
    await query('select next from ledger.turn($1)', [tenant])
    await query(STOPS)
    await query(trial, [tenant])
    await query('rollback')
  })
}

/** Stops that cannot be read are unknown, and not none. */
const STOPS = 'select from procura.stop, procura.freeze where false'

const answers = (pool: Pool) => tried(pool, (query) => query(STOPS))

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

export interface Watched {
  ready(): Promise<Readiness>
  /**
   * Resolves when whoever asks regularly has been told of the drain and has had time to act on it, or
   * would have asked by now.
   * False where nobody does: there is no balancer, and nobody to wait for.
   */
  told(): Promise<boolean>
}

/** Not ready also where the machine's clock is wrong. Notes who asks, so that they can be told. */
export function watchReadiness(
  health: { ready(): Promise<Readiness> },
  offsetMs: () => number,
): Watched {
  let askedAt = -Infinity
  let everyMs = Infinity
  return {
    async ready() {
      const now = performance.now()
      everyMs = now - askedAt
      askedAt = now
      const answer = await health.ready()
      const isWrong = Math.abs(offsetMs()) > OFFSET_MS_MAX
      return answer.failing === null && isWrong ? { ...answer, failing: 'clock' } : answer
    },
    async told() {
      const since = performance.now()
      const patience = Math.min(TELL_MS.most, Math.max(TELL_MS.least, 3 * everyMs))
      if (everyMs > TELL_MS.most || since - askedAt > patience) return false
      while (askedAt <= since && performance.now() - since < patience) await pause(TELL_LOOK_MS)
      if (askedAt > since) await pause(ACTED_MS)
      return true
    },
  }
}
