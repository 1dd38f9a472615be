/**
 * Whether the database is worth asking. When it has not answered, one caller finds out; until it
 * answers again everybody else is refused at once, so that no request waits for it more than once.
 */
import { Client, DatabaseError, type Pool, type PoolClient } from 'pg'

/** A new connection that takes longer than this is not an answer. */
const LOOK_MS = 1500
/** Between two looks, while it is down. */
const PAUSE_MS = 250

export interface Breaker {
  /** From now on this pool hands out connections only while the server answers. */
  guard(pool: Pool): void
}

/** One for all pools of a process that lead to the same server. */
export function createBreaker(url: string): Breaker {
  let state: 'answers' | 'doubted' | 'down' = 'answers'
  let looking: Promise<boolean> | null = null
  let lookAgainAt = 0
  // Connections made before a silence may never speak again: they are not handed out after it.
  let era = 0
  let wasSilent = false

  function doubt(error: unknown): void {
    if (hasAnswered(error)) return
    wasSilent ||= isSilence(error)
    if (state === 'answers') state = 'doubted'
  }

  async function look(): Promise<boolean> {
    const isThere = await answers(url)
    if (isThere && (wasSilent || state === 'down')) era += 1
    if (isThere) wasSilent = false
    state = isThere ? 'answers' : 'down'
    lookAgainAt = performance.now() + PAUSE_MS
    looking = null
    return isThere
  }

  async function admit(): Promise<void> {
    const isRefused = looking !== null || performance.now() < lookAgainAt
    if (state === 'down' && isRefused) throw silence()
    if (!(await (looking ??= look()))) throw silence()
  }

  return {
    guard(pool) {
      const eras = new WeakMap<PoolClient, number>()
      const connect = pool.connect.bind(pool) as () => Promise<PoolClient>
      pool.on('connect', (client) => eras.set(client, era))
      // Null, or nothing, after what went well.
      pool.on('release', (error: unknown) => {
        if (error instanceof Error) doubt(error)
      })

      async function acquire(): Promise<PoolClient> {
        if (state !== 'answers') await admit()
        for (;;) {
          const client = await connect().catch((error: unknown) => {
            doubt(error)
            throw error
          })
          if (eras.get(client) === era) return client
          client.release(OUTDATED)
        }
      }
      pool.connect = withCallback(acquire)
    },
  }
}

type Callback = (error: unknown, client: PoolClient | undefined, done: () => void) => void

/** `pool.query` asks for its connection with a callback. */
function withCallback(acquire: () => Promise<PoolClient>): Pool['connect'] {
  const connect = (callback?: Callback) => {
    if (callback === undefined) return acquire()
    acquire().then(
      (client) => {
        callback(undefined, client, client.release.bind(client))
      },
      (error: unknown) => {
        callback(error, undefined, () => undefined)
      },
    )
    return undefined
  }
  return connect as Pool['connect']
}

async function answers(url: string): Promise<boolean> {
  const client = new Client({
    ...{ connectionString: url, application_name: 'procura breaker' },
    connectionTimeoutMillis: LOOK_MS,
  })
  client.on('error', () => undefined) // Said by `connect`, or of no consequence any more.
  try {
    await client.connect()
    return true
  } catch (error) {
    return hasAnswered(error)
  } finally {
    client.end().catch(() => undefined)
  }
}

/** It said something, even if that was no; but not that it is going or only coming. */
function hasAnswered(error: unknown): boolean {
  if (error === OUTDATED) return true
  return error instanceof DatabaseError && !/^(57P0|08)/.test(error.code ?? '')
}

/** Whoever said nothing may have gone without telling: its connections look alive. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && /time(d )?out/i.test(error.message)
}

const OUTDATED = new Error('made before the database was silent')

/** An outage, as `isOutage` knows it. */
function silence(): Error {
  return Object.assign(new Error('The database does not answer'), { code: 'ETIMEDOUT' })
}
