/**
 * Several brokers behind one port: the primary forks them, hands connections out in turn, and replaces
 * who died. It serves nothing itself; a worker is a replica like any other.
 */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { createPool } from './db/connect.ts'
import type { Secret } from './domain/secret.ts'
import { DRAIN_MS } from './listening.ts'
import { CONNECTIONS_MAX } from './pools.ts'
import { createGathering, type Gathering, isFromWorker } from './worker-metrics.ts'

const BACK_OFF_MS = { first: 100, most: 30_000 }
/** Who was ready for this long did not fail at the start. */
const STEADY_MS = 10_000
/** Longer than the longest drain: whoever balances is told, all are answered, work that goes on ends, then the chores. */
const END_MS = 5500 + 2 * DRAIN_MS + 35_000

export interface CrewOptions {
  readonly count: number
  /** For the workers, beside what this process was given; `undefined` takes a name away. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly say: (text: string) => void
}

export interface Crew {
  /** Nobody is replaced any more; resolves when every worker has drained and is gone. */
  stop(): Promise<void>
}

/** A worker that ended before it was ready. It has said why itself. */
export class WorkerFailed extends Error {
  override readonly name = 'WorkerFailed'
  readonly exit: number
  constructor(exit: number | null) {
    super('a worker did not start')
    this.exit = exit ?? 1
  }
}

/**
 * Resolves when all are ready. The first starts alone: what keeps it from starting would keep them all.
 *
 * From when it is ready each is kept: it ends, and another takes its place, however often that is tried.
 *
 * @throws WorkerFailed when one does not start, Error when none can be made; those that did are ended
 */
export async function startWorkers({ count, env, say }: CrewOptions): Promise<Crew> {
  const crew = new Map<number, Worker>()
  const gathering = createGathering(crew)
  const delays = new Map<number, NodeJS.Timeout>()
  let isStopping = false

  function launch(slot: number): Worker {
    const worker = cluster.fork(env)
    if (isProcess(worker)) crew.set(slot, worker)
    worker.on('error', () => undefined) // Said to one that is gone; its end is seen by its exit.
    worker.on('message', attending(worker, gathering))
    return worker
  }

  async function start(slot: number): Promise<void> {
    // Not when all are ready: it may end before the others are.
    keep(slot, await readyOrGone(launch(slot)))
  }

  /** Sooner or later: one that dies again and again is replaced ever more slowly. */
  function keep(slot: number, worker: Worker, failures = 0): void {
    const since = performance.now()
    worker.once('exit', (code: number, signal: string | null) => {
      const failed = performance.now() - since < STEADY_MS ? failures + 1 : 0
      replace(slot, failed, `ended (${signal ?? String(code)}), another takes its place`)
    })
    whenNeverRun(worker, (error) => {
      replace(slot, failures + 1, `was not started (${String(error)}), it is tried again`)
    })
  }

  function replace(slot: number, failures: number, why: string): void {
    if (isStopping) return
    say(`worker     ${String(slot)} ${why}`)
    const another = () => {
      try {
        keep(slot, launch(slot), failures)
      } catch (error) {
        replace(slot, failures + 1, `was not started (${String(error)}), it is tried again`)
      }
    }
    delays.set(slot, setTimeout(another, backOffMs(failures)))
  }

  async function stop(): Promise<void> {
    isStopping = true
    for (const delay of delays.values()) clearTimeout(delay)
    await Promise.all([...crew.values()].map(end))
  }

  try {
    await start(1)
    await Promise.all(Array.from({ length: count - 1 }, (_, at) => start(at + 2)))
  } catch (error) {
    await stop()
    throw error
  }
  return { stop }
}

/** @throws Error unless the database lets all of them have all the connections they may take */
export async function refuseTooManyWorkers(url: Secret, count: number): Promise<void> {
  const pool = createPool({ url: url.reveal(), role: null, max: 1, name: 'procura workers' })
  try {
    const { rows } = await pool.query<{ free: number }>(
      `select current_setting('max_connections')::int
              - current_setting('superuser_reserved_connections')::int
              - coalesce(current_setting('reserved_connections', true), '0')::int as free`,
    )
    const [free, wanted] = [rows[0]?.free ?? 0, count * CONNECTIONS_MAX]
    if (wanted <= free) return
    throw new Error(
      `${String(count)} workers take up to ${String(wanted)} connections, and the database has ` +
        `${String(free)}: fewer workers, or a larger max_connections`,
    )
  } finally {
    await pool.end()
  }
}

/** @throws WorkerFailed; Error where it never was a process */
function readyOrGone(worker: Worker): Promise<Worker> {
  return new Promise((resolve, reject) => {
    worker.once('exit', (code) => {
      reject(new WorkerFailed(code))
    })
    whenNeverRun(worker, reject)
    worker.on('message', (message: unknown) => {
      if (isFromWorker(message) && message.procura === 'ready') resolve(worker)
    })
  })
}

const backOffMs = (failures: number) =>
  failures === 0 ? 0 : Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** failures)

const isProcess = (worker: Worker) => worker.process.pid !== undefined

/** Where there is no room for a process, that may be told by an error, which no exit follows. */
function whenNeverRun(worker: Worker, tell: (error: Error) => void): void {
  if (!isProcess(worker)) worker.once('error', tell)
}

const attending = (worker: Worker, gathering: Gathering) => (message: unknown) => {
  if (!isFromWorker(message)) return
  if (message.procura === 'metrics') gathering.take(worker, message)
  if (message.procura !== 'metrics wanted') return
  gathering.text().then(
    (text) => {
      if (worker.isConnected()) worker.send({ procura: 'metrics', id: message.id, text })
    },
    () => undefined, // It never rejects; whoever asked gives up by itself.
  )
}

/** It is told to drain; and ended, should it not have done so by the time that every drain is over. */
async function end(worker: Worker): Promise<void> {
  if (worker.isDead()) return
  const gone = once(worker, 'exit')
  worker.process.kill('SIGTERM')
  const late = setTimeout(() => worker.process.kill('SIGKILL'), END_MS)
  await gone
  clearTimeout(late)
}
