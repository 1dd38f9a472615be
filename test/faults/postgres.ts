/** A PostgreSQL of a test's own, to be stopped, killed, frozen and started again where it was. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll } from 'vitest'
import { type Embedded, startEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { MIGRATIONS } from '../pg/global.ts'

type Row = Record<string, unknown>

export interface OwnPostgres {
  /** Connects as its superuser. */
  readonly url: string
  readonly port: number
  /** The cluster's own folder. */
  readonly data: string
  readonly query: <R extends Row = Row>(sql: string, params?: readonly unknown[]) => Promise<R[]>
  /** At once, as if the power went: every process of it is gone when this resolves. */
  kill(): Promise<void>
  /** SIGQUIT: an immediate shutdown, which the next start recovers from. */
  stopAtOnce(): Promise<void>
  /** In order: what is open is ended, what is committed is on disk. */
  stop(): Promise<void>
  /** Starts it where it was. */
  start(): Promise<void>
  /** SIGSTOP to every process of it. */
  freeze(): void
  thaw(): void
}

const cleanUps: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps) await cleanUp()
})

export interface OwnOptions {
  readonly settings?: Readonly<Record<string, string>>
  /** A folder for its data, on a disk of a certain kind. */
  readonly folder?: string
  /** Nothing is in it yet: it is to be a target. */
  readonly isEmpty?: true
}

export async function ownPostgres({
  settings = {},
  folder,
  isEmpty,
}: OwnOptions = {}): Promise<OwnPostgres> {
  const dataDir = mkdtempSync(join(folder ?? memory(), 'procura-fault-'))
  chmodSync(dataDir, 0o755) // When root runs the tests, somebody else runs the server.
  const start = () => startEmbedded({ dataDir, settings: { ...SETTINGS, ...settings } })
  let server: Embedded = await start()
  cleanUps.push(async () => {
    signalAll('SIGCONT')
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  if (isEmpty !== true) await migrate(server.url, { dir: MIGRATIONS })

  const { url } = server
  const data = join(dataDir, 'postgres', 'data')
  const pidFile = join(data, 'postmaster.pid')
  const postmaster = () => Number.parseInt(readFileSync(pidFile, 'utf8'), 10)
  const processes = () => {
    const pid = existsSync(pidFile) ? postmaster() : 0
    return pid > 0 ? [pid, ...childrenOf(pid)] : []
  }
  function signalAll(name: NodeJS.Signals): void {
    for (const pid of processes()) send(pid, name)
  }
  return {
    url,
    port: Number(new URL(url).port),
    data,
    query: (sql, params = []) => oneQuery(url, sql, params),
    async kill() {
      signalAll('SIGKILL')
      await server.stop()
    },
    async stopAtOnce() {
      send(postmaster(), 'SIGQUIT')
      await server.stop()
    },
    stop: () => server.stop(),
    async start() {
      server = await start()
      if (server.url !== url) throw new Error('it came back elsewhere')
    },
    freeze() {
      // The postmaster first, so that it makes no child meanwhile.
      signalAll('SIGSTOP')
      signalAll('SIGSTOP')
    },
    thaw() {
      signalAll('SIGCONT')
    },
  }
}

const SETTINGS = { shared_buffers: '32MB', max_connections: '100', autovacuum: 'off' }
const memory = () => (existsSync('/dev/shm') ? '/dev/shm' : tmpdir())

export async function oneQuery<R extends Row>(
  url: string,
  sql: string,
  params: readonly unknown[],
): Promise<R[]> {
  const client = new Client({ connectionString: url, types: NUMBERS })
  await client.connect()
  try {
    return (await client.query<R>(sql, [...params])).rows
  } finally {
    await client.end()
  }
}
const NUMBERS = {
  getTypeParser: () => (text: string | Buffer) =>
    /^-?\d{1,15}$/.test(String(text)) ? Number(text) : String(text),
}

function childrenOf(parent: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => parentOf(name) === parent)
    .map(Number)
}

/** proc(5): the name of the program may hold blanks, and ends with the last bracket. */
function parentOf(pid: string): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return null // It ended between two looks.
  }
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
