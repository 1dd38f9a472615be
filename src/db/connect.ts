/** Connections to the database: one pool per role, with limits on everything that could hang. */
import { Socket } from 'node:net'
import { type ClientBase, DatabaseError, Pool, type QueryConfig, type QueryResult, types } from 'pg'
import type { Tx } from '../domain/tx.ts'
import type { Breaker } from './breaker.ts'
import { eachOn } from './each.ts'
import { isGivenUp, isOutage } from './outage.ts'

/** The database roles. What a role may not do, a connection that has it cannot. */
export const ROLES = [
  'procura_owner',
  'procura_front',
  'procura_pdp',
  'procura_cdp',
  'procura_reaper',
  'procura_ledger',
  'procura_signer',
  'procura_verify',
] as const

export type Role = (typeof ROLES)[number]

export interface PoolOptions {
  readonly url: string
  /** `null`: whatever the login is. For set-up; no request is served with it. */
  readonly role: Role | null
  /** Connections at most. */
  readonly max: number
  /** Shown in `pg_stat_activity`; the role's name where it is left out. */
  readonly name?: string
  /** Told when an idle connection breaks. The pool replaces it by itself. */
  readonly onBroken?: (error: Error) => void
  /** For whoever answers others, and so must not wait: tighter limits, and quick noes while it is down. */
  readonly breaker?: Breaker
}

const SEARCH_PATH = 'procura,ledger,pg_temp' // nobody's temporary table comes first
/**
 * With the look of the breaker (1.5 s) and `SILENCE_MS`, nobody waits longer than four seconds for a database
 * that is silent: of the five that callers are promised, one is for all else.
 *
 * `idleMs`: whoever asks after a shorter lull need not wait for new connections, and for all their plans.
 */
const SERVING = {
  ...{ statementMs: 2000, lockMs: 1500, idleInTransactionMs: 5000, connectMs: 2000 },
  idleMs: 180_000,
}
const PATIENT = {
  ...{ statementMs: 5000, lockMs: 3000, idleInTransactionMs: 10_000, connectMs: 3000 },
  idleMs: 10_000,
}
/** A plan that was made while a table was small is kept while it grows: let it be one by an index. */
const BY_INDEX = {
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
}
/** The server's own limit comes first, where there is a server. */
const SILENCE_MS = 500
const KEPT_ALIVE_MS = 60_000
const TRIES_MAX = 3
/** Then a connection that does not end is cut. */
const END_MS = 2000
const INT8 = 20 // pg_type.oid

/** Opens nothing yet: each connection is made when it is first needed. */
export function createPool({ url, role, max, name, onBroken, breaker }: PoolOptions): Pool {
  const limits = breaker === undefined ? PATIENT : SERVING
  const settings = {
    ...(role === null ? {} : { role }),
    search_path: SEARCH_PATH,
    statement_timeout: limits.statementMs,
    lock_timeout: limits.lockMs,
    idle_in_transaction_session_timeout: limits.idleInTransactionMs,
    ...(breaker === undefined ? {} : BY_INDEX),
  }
  const sockets = new Set<Socket>()
  const pool = new Pool({
    connectionString: url,
    options: Object.entries(settings)
      .map(([key, value]) => `-c ${key}=${String(value)}`)
      .join(' '),
    max,
    application_name: name ?? role ?? 'procura',
    connectionTimeoutMillis: limits.connectMs,
    query_timeout: limits.statementMs + SILENCE_MS,
    // What is asked at once is sent at once, and answered in that order.
    pipeline: true,
    keepAlive: true,
    // What forwards an idle connection is not to forget it, and one whose other end has gone is found out.
    keepAliveInitialDelayMillis: KEPT_ALIVE_MS,
    idleTimeoutMillis: limits.idleMs,
    stream: () => {
      const socket = new Socket()
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      // To connect undoes what was done to `write` before.
      return socket.once('connect', () => {
        gather(socket)
      })
    },
    types: { getTypeParser },
  })
  pool.on('error', (error) => onBroken?.(error))
  // One that breaks while it is lent would end the process; whoever has it is told by its query.
  pool.on('connect', (client) => client.on('error', () => undefined))
  breaker?.guard(pool)
  const query: Query = pool.query.bind(pool)
  pool.query = orAgain(query) as Pool['query']
  const end: () => Promise<void> = pool.end.bind(pool)
  pool.end = ended(end, sockets)
  return pool
}

/** What is written before anybody else has a turn goes out together: each packet wakes the server. */
function gather(socket: Socket): void {
  const write = socket.write.bind(socket) as (...written: unknown[]) => boolean
  let isHeld = false
  socket.write = (...written: unknown[]) => {
    if (!isHeld) {
      isHeld = true
      socket.cork()
      process.nextTick(() => {
        isHeld = false
        socket.uncork()
      })
    }
    return write(...written)
  }
}

/** A goodbye that a silent server does not hear would keep this process from ending. */
function ended(end: () => Promise<void>, sockets: ReadonlySet<Socket>): () => Promise<void> {
  return async () => {
    const late = setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, END_MS)
    await end().finally(() => {
      if (sockets.size === 0) clearTimeout(late)
    })
  }
}

type Query = (asked: QueryConfig | string, values?: unknown[]) => Promise<QueryResult>

/** A statement on a pool is a transaction of its own: one that was given up may be asked again, whole. */
function orAgain(query: Query): Query {
  return async (...asked) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await query(...asked)
      } catch (error) {
        if (!isGivenUp(error) || tries === TRIES_MAX) throw error
      }
    }
  }
}

/**
 * Runs `work` in one transaction: committed when it resolves, rolled back when it rejects. A
 * connection of which that cannot be said is closed.
 */
export async function inTransaction<T>(pool: Pool, work: (tx: Tx) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    const result = await work(await begin(client))
    // A failed statement that `work` swallowed turns this into a rollback, which is no error to pg.
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw new Error('The transaction had failed, and was rolled back')
    client.release()
    return result
  } catch (error) {
    const isSilent = isOutage(error) && !(error instanceof DatabaseError)
    client.release(isSilent ? (error as Error) : await rollback(client))
    throw error
  }
}

/** Undefined when it worked; else the connection is of no more use. */
function rollback(client: ClientBase): Promise<Error | undefined> {
  return client.query('rollback').then(
    () => undefined,
    (error: unknown) => error as Error,
  )
}

/** Refuses a server that would acknowledge a commit which it may yet lose. Names the settings. */
export async function refuseUnsafeSettings(pool: Pick<Pool, 'query'>): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `select name from pg_settings
     where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off' order by name`,
  )
  if (rows.length === 0) return
  const names = rows.map(({ name }) => name).join(', ')
  throw new Error(
    `The database may lose what it has committed: ${names} must be on. Set it in postgresql.conf.`,
  )
}

/** One message for both: a transaction costs no round trip more. */
async function begin(client: ClientBase): Promise<Tx> {
  const answers: unknown = await client.query('begin; select clock_timestamp() as now')
  const [, told] = answers as readonly [unknown, QueryResult<{ now: Date }>]
  const now = told.rows[0]?.now
  if (!now) throw new Error('The database did not tell its time')
  const query = client.query.bind(client)
  return { query, each: eachOn(query), now, begun: Promise.resolve() }
}

/** `int8` as a number: a count or an index. One that a number cannot hold is an error, not rounded. */
const getTypeParser = ((oid: number, format: 'text' | 'binary' = 'text') =>
  oid === INT8 && format === 'text'
    ? readInt8
    : ordinary(oid, format)) as typeof types.getTypeParser

const ordinary = types.getTypeParser as (oid: number, format: string) => (text: string) => unknown

function readInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError('An int8 of the database is beyond 2^53')
  return value
}
