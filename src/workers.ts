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
import { type FromWorker, gather, isFromWorker } from './worker-metrics.ts'

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
 * @throws WorkerFailed when one does not start; those that did are ended
 */
export async function startWorkers({ count, env, say }: CrewOptions): Promise<Crew> {
  const crew = new Map<number, Worker>()
  const delays = new Map<number, NodeJS.Timeout>()
  let isStopping = false

  async function launch(slot: number): Promise<void> {
    const worker = cluster.fork(env)
    crew.set(slot, worker)
    worker.on('error', () => undefined) // Said to one that is gone; its end is seen by its exit.
    worker.on('message', (message: unknown) => {
      if (isFromWorker(message)) attend(worker, message, crew)
    })
    await readyOrGone(worker)
  }

  /** Sooner or later: one that dies again and again is replaced ever more slowly. */
  function keep(slot: number, worker: Worker, failures = 0): void {
    const since = performance.now()
    worker.once('exit', (code, signal) => {
      if (isStopping) return
      const failed = performance.now() - since < STEADY_MS ? failures + 1 : 0
      const ms = failed === 0 ? 0 : Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** failed)
      const told = signal === '' ? String(code) : signal
      say(`worker     ${String(slot)} ended (${told}), another takes its place`)
      const replace = () => {
        launch(slot).catch(() => undefined) // Its end is told, and seen to, as any other.
        const next = crew.get(slot)
        if (next !== undefined) keep(slot, next, failed)
      }
      delays.set(slot, setTimeout(replace, ms))
    })
  }

  async function stop(): Promise<void> {
    isStopping = true
    for (const delay of delays.values()) clearTimeout(delay)
    await Promise.all([...crew.values()].map(end))
  }

  try {
    await launch(1)
    await Promise.all(Array.from({ length: count - 1 }, (_, at) => launch(at + 2)))
  } catch (error) {
    await stop()
    throw error
  }
  for (const [slot, worker] of crew) keep(slot, worker)
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

/** @throws WorkerFailed */
function readyOrGone(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null) => {
      reject(new WorkerFailed(code))
    }
    worker.once('exit', gone)
    worker.on('message', (message: unknown) => {
      if (!isFromWorker(message) || message.procura !== 'ready') return
      worker.off('exit', gone)
      resolve()
    })
  })
}

function attend(worker: Worker, message: FromWorker, crew: ReadonlyMap<number, Worker>): void {
  if (message.procura !== 'metrics wanted') return
  gather(crew).then(
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
