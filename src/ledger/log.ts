/**
 * The writer of one side: whoever waits to record shares one transaction, and one commit.
 *
 * The turn (one lock for the whole log) is taken first and held to the end, so that every recorded
 * act sees all that was recorded before it, on whichever replica, and nothing gets in between.
 */
import { isGivenUp, isOutage } from '../db/outage.ts'
import type { Ledger, Written } from '../domain/ports.ts'
import { unavailable } from '../domain/problems.ts'
import type { Recorded } from '../domain/recorded.ts'
import type { RequestKey } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { createLine, type Line } from './line.ts'
import { inTurn, type Job, type Recording, Spoilt } from './recording.ts'
import { findAnswer } from './request-keys.ts'

const BATCH_MAX = 64
const TRIES_MAX = 3

export interface LogOptions extends Omit<Recording, 'sent' | 'join'> {
  /** Shared by the sides of one process. */
  readonly line?: Line
}

/** The ledger as one side writes it. Every failure to commit is 503, with nothing recorded. */
export function createLog(options: LogOptions): Ledger {
  const { tenant, pool, line = createLine() } = options
  const waiting: Job[] = []
  let isWriting = false

  /** What came while it stood in line goes together, and so does what comes before that is worked. */
  async function writeNext(): Promise<void> {
    const leave = await line.enter()
    const batch = waiting.splice(0, BATCH_MAX)
    const join = () => waiting.splice(0, BATCH_MAX - batch.length)
    try {
      const outage = await write({ ...options, sent: leave, join }, batch)
      // Whoever waited behind a database that does not answer has waited long enough.
      if (outage !== null) refuse(waiting.splice(0), outage)
    } finally {
      leave()
    }
  }

  async function drain(): Promise<void> {
    isWriting = true
    try {
      while (waiting.length > 0) await writeNext()
    } finally {
      isWriting = false
    }
  }

  return {
    find: findAnswer(pool, tenant),
    record<T>(key: RequestKey | null, work: (tx: Tx) => Promise<Written<T>>) {
      return new Promise<Recorded<T>>((resolve, reject) => {
        waiting.push({ key, work, resolve: resolve as Job['resolve'], reject })
        // `write` answers every job itself and does not reject.
        if (!isWriting) drain().catch(reject)
      })
    },
  }
}

/**
 * Records a batch and answers each job. A job that throws takes nobody with it: the others are
 * recorded without it, and it has another try alone, so that it is told what holds by then.
 *
 * @returns the outage, where there was one
 */
async function write(options: Recording, jobs: Job[], tries = 1): Promise<unknown> {
  const again = { ...options, join: nobody } // Who joined a last try would have had one only.
  try {
    for (const answer of await inTurn(options, jobs)) answer()
    return null
  } catch (error) {
    if (isGivenUp(error) && tries < TRIES_MAX) return await write(again, jobs, tries + 1)
    if (isOutage(error)) return refuse(jobs, error)
    const spoilt = error instanceof Spoilt ? error.by : new Map(jobs.map((job) => [job, error]))
    const [job] = jobs
    if (job !== undefined && jobs.length === 1) {
      job.reject(error instanceof Spoilt ? spoilt.get(job) : unavailable('ledger', error))
      return null
    }
    const parted = error instanceof Spoilt && !error.areAllTried ? around : apart
    for (const some of parted(jobs, spoilt)) {
      const outage = some.length === 0 ? null : await write(again, some)
      if (outage !== null) return refuse(jobs, outage)
    }
    return null
  }
}

type Spoilers = ReadonlyMap<Job, unknown>

/** The others together, and each of these alone. */
function apart(jobs: readonly Job[], by: Spoilers): Job[][] {
  return [jobs.filter((one) => !by.has(one)), ...[...by.keys()].map((one) => [one])]
}

/** Where the first that threw was the last to be tried: who follows may throw too, and does not take those before along. */
function around(jobs: readonly Job[], by: Spoilers): Job[][] {
  const at = jobs.findIndex((one) => by.has(one))
  return [jobs.slice(0, at), jobs.slice(at, at + 1), jobs.slice(at + 1)]
}

const nobody = () => []

/** Those that were answered before are not answered again: a promise is settled once. */
function refuse(jobs: readonly Job[], outage: unknown): unknown {
  for (const { reject } of jobs) reject(unavailable('ledger', outage))
  return outage
}
