/** One batch in one transaction: what needs no answer of what comes before it is sent behind it at once. */
import { DatabaseError, type Pool, type PoolClient } from 'pg'
import { eachOn } from '../db/each.ts'
import { isOutage, OutcomeUnknown } from '../db/outage.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Written } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import { Recorded } from '../domain/recorded.ts'
import type { RequestKey } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { type Appending, appending, type Door } from './append.ts'
import { createLeaves } from './leaves.ts'
import { isTaken } from './request-keys.ts'
import type { Sealer } from './sealed.ts'
import { takeTurn, type Turn, turnLater, wereRecorded } from './turn.ts'

export interface Recording {
  readonly tenant: string
  /** Connections of the side that writes; they may use its own door only. */
  readonly pool: Pool
  readonly door: Door
  readonly sealer: Pick<Sealer, 'seal'>
  /** Called when the works are done: who came since the batch was put together. */
  readonly join: () => readonly Job[]
  /** Called when the turn is about to be given back: its commit is on the way. */
  readonly sent: () => void
}

export interface Job {
  readonly key: RequestKey | null
  readonly work: (tx: Tx) => Promise<Written<unknown>>
  readonly resolve: (recorded: Recorded<unknown>) => void
  readonly reject: (reason: unknown) => void
}

/** Some of the batch threw: nothing of it is on record. */
export class Spoilt extends Error {
  readonly by: ReadonlyMap<Job, unknown>
  /** Where works go one after another, those behind the first that throws are not. */
  readonly areAllTried: boolean
  constructor(by: ReadonlyMap<Job, unknown>, areAllTried: boolean) {
    super('a batch was spoilt')
    this.by = by
    this.areAllTried = areAllTried
  }
}

/** What a work wrote, and the time of the turn that it was judged at. */
interface Done {
  readonly job: Job
  readonly written: Written<unknown>
  readonly now: Date
}

/**
 * One transaction: the turn, each work, one append, the commit. Only then is anybody answered. What
 * needs no answer of what comes before it is sent behind it at once: others wait while this has the turn.
 *
 * @param jobs those who join are added
 */
export async function inTurn(options: Recording, jobs: Job[]): Promise<(() => void)[]> {
  const { answers, lost } = await onConnection(options, jobs)
  if (lost !== null) await findOut(options, lost)
  return answers
}

/** A connection whose commit was not answered is given back first: nobody else is to ask on one like it. */
async function onConnection(
  options: Recording,
  jobs: Job[],
): Promise<{ answers: (() => void)[]; lost: Lost | null }> {
  const client = await options.pool.connect()
  let broken: Error | undefined
  try {
    const turning = takeTurn(client, options.tenant)
    const early = await workAll(options, client, turning, jobs)
    const turn = await turning
    const late = await workLate(options, client, turn, jobs)
    const { rows, answers } = layDown(options, turn, [...early, ...late])
    const lost = await appendAndCommit(client, rows, options.sent)
    broken = lost?.error
    return { answers, lost }
  } catch (error) {
    broken = await rolledBack(client, error)
    throw error
  } finally {
    client.release(broken)
  }
}

/** A commit whose answer was lost, and one leaf of it. */
interface Lost {
  readonly error: Error
  readonly first: Appending['leaves'][number]
}

/**
 * Does the works of those who came meanwhile, when all others are done: behind them, and at a time of
 * their own, for the turn's may be from before they came. Those that register are joined by nobody: one
 * that throws has those before it worked for anew, and they need not wait for who came after them.
 */
async function workLate(
  options: Recording,
  client: PoolClient,
  turn: Turn,
  jobs: Job[],
): Promise<Done[]> {
  const late = options.door === 'append_registered' ? [] : options.join()
  if (late.length === 0) return []
  jobs.push(...late)
  return await workAll(options, client, turnLater(client, turn), late)
}

/**
 * The transaction as works have it. Nothing is answered before the turn is there, and once it is known
 * that there will be none, nothing is sent: without its `begin` each statement would be an act of its own.
 */
function txOf(client: PoolClient, turning: Promise<Turn>): Tx & { end(): void } {
  let known: Turn | null = null
  let isLost = false
  let isOver = false
  turning.then(
    (turn) => (known = turn),
    () => (isLost = true), // Told by `begun`, and by everything that is asked.
  )
  const send = client.query.bind(client) as (...asked: unknown[]) => Promise<unknown>
  const ask = async (...asked: unknown[]) => {
    if (isLost) return await turning
    if (isOver) throw new Error('a work went on after its transaction')
    const [, answer] = await Promise.all([turning, send(...asked)])
    return answer
  }
  const query = ask as unknown as Tx['query']
  return {
    ...{ query, each: eachOn(query), begun: turning },
    // From here on what is asked would be in another transaction, or in none.
    end() {
      isOver = true
    },
    get now() {
      if (known === null) throw new TypeError('a work has not waited for its turn')
      return known.now
    },
  }
}

/**
 * Runs the works. Those that register go one after another, for they may touch each other; those
 * that decide or deliver go side by side, for each changes only what one conditional statement of
 * its own lets it, and so their statements can be asked together, and with the turn.
 *
 * @returns what they wrote, in the order in which the database did it: debits are made in the order
 *   in which the decisions came; whatever ends a lease is done when its work is
 * @throws Spoilt where one of them throws; whatever the turn fails with, for then all has failed for that
 */
async function workAll(
  { tenant, door }: Recording,
  client: PoolClient,
  turning: Promise<Turn>,
  jobs: readonly Job[],
): Promise<Done[]> {
  const tx = txOf(client, turning)
  const done = new Map<Job, Written<unknown>>()
  const spoilt = new Map<Job, unknown>()
  const run = async (job: Job) => {
    const { key, work } = job
    try {
      const looked = key === null ? Promise.resolve(false) : isTaken(tx, tenant, key)
      // Both are over before it goes on: nobody is left at work when the transaction ends.
      done.set(job, unlessLate(await Promise.allSettled([looked, work(tx)])))
    } catch (error) {
      spoilt.set(job, error)
    }
  }
  if (door === 'append_registered') {
    await tx.begun
    for (const job of jobs) if (spoilt.size === 0) await run(job)
  } else {
    await Promise.all(jobs.map(run))
  }
  tx.end()
  const { now } = await turning
  checkSpoilt(spoilt, done.size + spoilt.size === jobs.length)
  const order = door === 'append_decided' ? jobs : [...done.keys()]
  return order.flatMap((job) => {
    const written = done.get(job)
    return written === undefined ? [] : [{ job, written, now }]
  })
}

type Late = PromiseSettledResult<boolean>
type Worked = PromiseSettledResult<Written<unknown>>

/** @throws `idempotency_in_flight` where its key was answered meanwhile, whatever it comes to by now but a fault */
function unlessLate([late, worked]: readonly [Late, Worked]): Written<unknown> {
  if (late.status === 'rejected') throw late.reason
  const isRefused = worked.status === 'rejected' && worked.reason instanceof BrokerError
  if (late.value && (isRefused || worked.status === 'fulfilled')) throw inFlight()
  if (worked.status === 'rejected') throw worked.reason
  return worked.value
}

function checkSpoilt(spoilt: ReadonlyMap<Job, unknown>, areAllTried: boolean): void {
  for (const error of spoilt.values()) if (isOutage(error)) throw error
  if (spoilt.size > 0) throw new Spoilt(spoilt, areAllTried)
}

/**
 * What is appended, in the order in which the works were done, with what lies beside it.
 *
 * @throws Spoilt by those whose key somebody before them in the batch has
 */
function layDown(
  { tenant, door, sealer }: Recording,
  turn: Turn,
  done: readonly Done[],
): { rows: Appending; answers: (() => void)[] } {
  const { add, ...rows } = createLeaves(sealer, turn)
  const keys = new Map<string, JsonObject>()
  const late = new Map<Job, unknown>()
  const answers: (() => void)[] = []
  for (const { job, written, now } of done) {
    const { entries, value, answer } = written
    const [first] = entries.map((entry) => add(entry, now))
    const { index = turn.next, eventId = '' } = first ?? {}
    if (job.key !== null) {
      const name = JSON.stringify([job.key.caller, job.key.route, job.key.key])
      if (keys.has(name)) late.set(job, inFlight())
      else if (answer !== null) keys.set(name, { ...job.key, answer })
    }
    answers.push(() => {
      job.resolve(Recorded.onRecord(value, index, eventId))
    })
  }
  checkSpoilt(late, true)
  return { rows: { tenant, door, first: turn.next, ...rows, keys: [...keys.values()] }, answers }
}

/** Of two that come with the same key at once, one is recorded; the other is told to wait. */
function inFlight(): BrokerError {
  return new BrokerError('idempotency_in_flight', { shown: { retryAfterSeconds: 1 } })
}

/** Both are sent at once: what could not be appended, the database does not commit. */
async function appendAndCommit(
  client: PoolClient,
  rows: Appending,
  sent: () => void,
): Promise<Lost | null> {
  const statement = appending(rows)
  const answered = Promise.allSettled([
    statement === null ? Promise.resolve(null) : client.query(statement),
    client.query('commit'),
  ])
  sent()
  const [appended, committed] = await answered
  if (appended.status === 'rejected') {
    // Where the answer to both was lost, it is the commit's that counts.
    const isToldApart = appended.reason instanceof DatabaseError || committed.status === 'fulfilled'
    if (isToldApart) throw appended.reason
  }
  if (committed.status === 'fulfilled') {
    if (committed.value.command === 'COMMIT') return null
    throw new Error('the transaction was rolled back')
  }
  const error = committed.reason as Error
  const isKnown = error instanceof DatabaseError && !isOutage(error)
  const [first] = rows.leaves
  if (isKnown || first === undefined) throw error
  return { error, first }
}

/**
 * Whoever has the next turn can see what became of it: the turn is given back only when the transaction
 * is over.
 *
 * @throws the error that the answer was lost with, where nothing is on record; `OutcomeUnknown`
 */
async function findOut({ tenant, pool }: Recording, { error, first }: Lost): Promise<void> {
  const isOnRecord = await wereRecorded(pool, tenant, first).catch((cause: unknown) => {
    // Never done again: it may be there.
    throw new OutcomeUnknown('what became of a commit could not be found out', { cause })
  })
  if (!isOnRecord) throw error
}

/** Undefined when it was; else why the connection is not used again. */
async function rolledBack(client: PoolClient, error: unknown): Promise<Error | undefined> {
  if (error instanceof Error && isOutage(error)) return error
  return await client.query('rollback').then(
    () => undefined,
    (failed: unknown) => failed as Error,
  )
}
