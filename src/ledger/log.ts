/**
 * The writer of one side: whoever waits to record shares one transaction, and one commit.
 *
 * The turn (one lock for the whole log) is taken first and held to the end, so that every recorded
 * act sees all that was recorded before it, on whichever replica, and nothing gets in between.
 */
import type { Pool, PoolClient } from 'pg'
import { isOutage } from '../db/outage.ts'
import { newId } from '../domain/ids.ts'
import { canonical, type JsonObject } from '../domain/json.ts'
import type { LedgerEntry, Sealed } from '../domain/entry.ts'
import type { Ledger, Written } from '../domain/ports.ts'
import { unavailable } from '../domain/problems.ts'
import { Recorded } from '../domain/recorded.ts'
import type { RequestKey } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { indexDecision } from './decisions.ts'
import { actorMember } from './members.ts'
import { membersOf } from './records.ts'
import { findAnswer, keepAnswer } from './request-keys.ts'
import type { Sealer } from './sealed.ts'

const BATCH_MAX = 64
const TRIES_MAX = 3

export interface LogOptions {
  readonly tenant: string
  /** Connections of the side that writes; they may use its own door only. */
  readonly pool: Pool
  readonly door: 'append_registered' | 'append_decided' | 'append_issued'
  readonly sealer: Sealer
}

/** The ledger as one side writes it. Every failure to commit is 503, with nothing recorded. */
export function createLog(options: LogOptions): Ledger {
  const { tenant, pool } = options
  const waiting: Job[] = []
  let isWriting = false

  async function drain(): Promise<void> {
    isWriting = true
    try {
      while (waiting.length > 0) await write(options, waiting.splice(0, BATCH_MAX))
    } finally {
      isWriting = false
    }
  }

  return {
    async find(key) {
      return key === null ? null : await findAnswer(pool, tenant, key)
    },
    record<T>(key: RequestKey | null, work: (tx: Tx) => Promise<Written<T>>) {
      return new Promise<Recorded<T>>((resolve, reject) => {
        waiting.push({ key, work, resolve: resolve as Job['resolve'], reject })
        // `write` answers every job itself and does not reject.
        if (!isWriting) drain().catch(reject)
      })
    },
  }
}

interface Job {
  readonly key: RequestKey | null
  readonly work: (tx: Tx) => Promise<Written<unknown>>
  readonly resolve: (recorded: Recorded<unknown>) => void
  readonly reject: (reason: unknown) => void
}

/** Records a batch and answers each job. One that spoils the append is found by going singly. */
async function write(options: LogOptions, jobs: readonly Job[], tries = 1): Promise<void> {
  try {
    const recorded = await inTurn(options, jobs)
    recorded.forEach((answer) => {
      answer()
    })
  } catch (error) {
    if (isContention(error) && tries < TRIES_MAX) {
      await write(options, jobs, tries + 1)
    } else if (jobs.length > 1 && !isOutage(error)) {
      for (const job of jobs) await write(options, [job])
    } else {
      for (const job of jobs) job.reject(unavailable('ledger', error))
    }
  }
}

/** One transaction: the turn, each work, one append, the commit. Only then is anybody answered. */
async function inTurn(options: LogOptions, jobs: readonly Job[]): Promise<(() => void)[]> {
  const client = await options.pool.connect()
  let isBroken = false
  try {
    await client.query('begin')
    const turn = await takeTurn(client, options.tenant)
    const tx: Tx = {
      query: client.query.bind(client),
      now: turn.now,
    }
    const leaves: string[] = []
    const answers: (() => void)[] = []
    for (const job of jobs) answers.push(await doWork(options, { client, tx, turn, leaves }, job))
    if (leaves.length > 0) {
      await client.query({
        name: options.door,
        text: `select ledger.${options.door}($1, $2, $3::text[])`,
        values: [options.tenant, turn.next, leaves],
      })
    }
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw new Error('the transaction was rolled back')
    return answers
  } catch (error) {
    isBroken = await isLost(client, error)
    throw error
  } finally {
    client.release(isBroken)
  }
}

/** Rolls back; a connection on which that does not work is not used again. */
async function isLost(client: PoolClient, error: unknown): Promise<boolean> {
  if (isOutage(error)) return true
  return await client.query('rollback').then(
    () => false,
    () => true,
  )
}

interface Turn {
  readonly next: number
  readonly now: Date
  readonly lastRecordedAt: string | null
}

async function takeTurn(client: PoolClient, tenant: string): Promise<Turn> {
  const { rows } = await client.query<{
    next: number
    now: Date
    last: string | null
  }>({
    name: 'ledger_turn',
    text: 'select next, now, last_recorded_at as last from ledger.turn($1)',
    values: [tenant],
  })
  const [row] = rows
  if (row === undefined) throw new Error('the ledger gave no turn')
  return { next: row.next, now: row.now, lastRecordedAt: row.last }
}

interface Writing {
  readonly client: PoolClient
  readonly tx: Tx
  readonly turn: Turn
  readonly leaves: string[]
}

/** Runs one work behind a savepoint: if it throws, its own doing is undone and the others go on. */
async function doWork(options: LogOptions, writing: Writing, job: Job): Promise<() => void> {
  const { client, tx, turn, leaves } = writing
  const before = leaves.length
  await client.query('savepoint work')
  try {
    const { entries, value, answer } = await job.work(tx)
    const index = turn.next + before
    const eventIds: string[] = []
    for (const entry of entries) {
      const eventId = entry.eventId ?? newId('evt', turn.now)
      leaves.push(await leafOf(options, writing, entry, eventId))
      eventIds.push(eventId)
    }
    if (job.key !== null && answer !== null) await keepAnswer(tx, options.tenant, job.key, answer)
    await client.query('release savepoint work')
    return () => {
      job.resolve(Recorded.onRecord(value, index, eventIds[0] ?? ''))
    }
  } catch (error) {
    if (isOutage(error) || isContention(error)) throw error
    leaves.length = before
    await client.query('rollback to savepoint work')
    return () => {
      job.reject(error)
    }
  }
}

/** The exact bytes of a leaf; what it seals is stored on the way. */
async function leafOf(
  { tenant, sealer }: LogOptions,
  { tx, turn, leaves }: Writing,
  entry: LedgerEntry,
  eventId: string,
): Promise<string> {
  const recordedAt = turn.now.toISOString()
  const record: JsonObject = {
    v: 1,
    event_id: eventId,
    event_type: entry.type,
    seq: turn.next + leaves.length,
    occurred_at: recordedAt,
    recorded_at: recordedAt,
    time_basis: 'database',
    request_id: entry.act.requestId,
    face: entry.act.face,
    actor: actorMember(entry.act.actor),
    ...membersOf(entry),
  }
  if (turn.lastRecordedAt !== null && recordedAt < turn.lastRecordedAt) {
    record['clock_regressed'] = true
  }
  const put = (id: string, payload: JsonObject) => putSealed(tx, tenant, sealer, { id, payload })
  if (entry.sealed) record['sealed'] = await sealedMember(entry.sealed, eventId, put)
  if (entry.type === 'decision') await indexDecision(tx, { tenant, entry, eventId, put })
  return canonical(record)
}

async function sealedMember(
  { fields, payload }: Sealed,
  id: string,
  put: (id: string, payload: JsonObject) => Promise<string>,
): Promise<JsonObject> {
  return {
    commitment: await put(id, payload),
    fields: [...fields],
    payload_id: id,
  }
}

async function putSealed(
  tx: Tx,
  tenant: string,
  sealer: Sealer,
  { id, payload }: { id: string; payload: JsonObject },
): Promise<string> {
  const { commitment, row } = sealer.seal(id, payload)
  await tx.query({
    name: 'sealed_put',
    text: `insert into procura.sealed_payload (tenant, id, wrapped_key, nonce, ciphertext)
           values ($1, $2, $3, $4, $5)`,
    values: [tenant, row.id, row.wrappedKey, row.nonce, row.ciphertext],
  })
  return commitment
}

/** Deadlock or serialization failure: nothing was done, and doing it again may work. */
function isContention(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^40(P01|001)$/.test(String(error.code))
}
