/** A second PostgreSQL that has what the first one has, before the first one says that it has it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'
import { freePort } from '../../src/cli/free-port.ts'
import { eventually } from '../scenario/house.ts'
import { oneQuery, type OwnPostgres } from './postgres.ts'
import { type FaultProxy, startProxy } from './proxy.ts'

export interface Standby extends Pick<OwnPostgres, 'url' | 'port' | 'query'> {
  /** What it follows the first one over. */
  readonly line: FaultProxy
  /** It follows no more, and takes writes. */
  promote(): Promise<void>
}

const running = new Set<ChildProcess>()
afterAll(async () => {
  for (const server of running) {
    server.kill('SIGQUIT')
    if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
  }
})

const NAME = 'procura_standby'

/** Copies the first one, which is stopped for it, and has every commit wait for the copy. */
export async function aStandbyOf(primary: OwnPostgres): Promise<Standby> {
  const program = programOf(primary)
  const line = await startProxy(primary.port)
  const folder = `${dirname(primary.data)}-standby`
  const data = join(folder, 'data')
  await primary.stop()
  // Owners and modes are the server's business: it does not start on what others may read.
  const copied = spawnSync('cp', ['-a', dirname(primary.data), folder])
  if (copied.status !== 0) throw new Error(`no copy: ${copied.stderr.toString()}`)
  await primary.start()

  const url = new URL(primary.url)
  const follow = `host=127.0.0.1 port=${String(line.port)} user=${url.username} password=${url.password}`
  writeFileSync(join(data, 'standby.signal'), '')
  const port = await freePort('127.0.0.1')
  const settings = {
    ...{ port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: '' },
    ...{ primary_conninfo: `${follow} application_name=${NAME}`, shared_buffers: '32MB' },
    ...{ max_connections: '100', wal_receiver_timeout: '2s', wal_retrieve_retry_interval: '200ms' },
  }
  const server = start(program, data, settings)
  running.add(server)
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  url.port = String(port)
  const query: OwnPostgres['query'] = (sql, params = []) => oneQuery(url.href, sql, params)
  await follows(primary, 'streaming', 'async')
  await primary.query(`alter system set synchronous_standby_names = '${NAME}'`)
  await primary.query('select pg_reload_conf()')
  await follows(primary, 'streaming', 'sync')
  const promote = async () => {
    await query('select pg_promote()')
  }
  return { url: url.href, port, query, line, promote }
}

/** As whoever owns the data. */
function start(
  program: string,
  data: string,
  settings: Readonly<Record<string, string>>,
): ChildProcess {
  const { uid, gid } = statSync(data)
  const own = process.getuid?.() === 0 ? { uid, gid } : {}
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return spawn(program, ['-D', data, ...options], { cwd: '/', env: {}, stdio: 'ignore', ...own })
}

/** The very program that runs the first one. */
function programOf({ data }: OwnPostgres): string {
  const pid = Number.parseInt(readFileSync(join(data, 'postmaster.pid'), 'utf8'), 10)
  return readlinkSync(`/proc/${String(pid)}/exe`)
}

async function follows(primary: OwnPostgres, state: string, how: 'async' | 'sync'): Promise<void> {
  await eventually(`a standby that is ${how}`, async () => {
    const rows = await primary.query(
      'select from pg_stat_replication where state = $1 and sync_state = $2',
      [state, how],
    )
    return rows.length === 1
  })
}
