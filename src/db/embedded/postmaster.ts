/** Starts the server, waits until it answers, and stops it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { extname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Home } from './home.ts'
import { endLeftover, statusLines } from './leftover.ts'
import { choosePort, rememberPort } from './port.ts'
import { comesTrue } from './processes.ts'

const READY_SECONDS = 60 // A crash may leave much to recover.

/** A commit is on disk before it is acknowledged; nothing is heard but loopback; no row is logged. */
const SETTINGS = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  password_encryption: 'scram-sha-256',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
}

export type Settings = Readonly<Record<string, string>>

export interface Postmaster {
  readonly port: number
  readonly stop: () => Promise<void>
}

/** Starts the server on a free port. Throws with the server's own words when it does not start. */
export async function startPostmaster(
  home: Home,
  bin: string,
  more: Settings,
): Promise<Postmaster> {
  const portFile = join(home.base, 'postgres.port')
  for (let tries = 5; ; tries -= 1) {
    await endLeftover(home)
    const port = await choosePort(portFile)
    const watchdog = launch(home, bin, { ...SETTINGS, ...more, port: String(port) })
    if (await isReady(watchdog, home.data)) {
      letGo(watchdog)
      rememberPort(portFile, port)
      return { port, stop: () => stop(watchdog, home) }
    }
    await stop(watchdog, home)
    const log = readFileSync(logOf(home), 'utf8')
    // Somebody took the port between the look and the bind, or a killed server is not all gone yet.
    const mayPass = /could not bind|in use|lock file/.test(log)
    if (!mayPass || tries === 0) throw new Error(`PostgreSQL did not start: ${lastWords(log)}`)
  }
}

/** Our end of the pipe is what keeps it alive. */
function launch({ base, data, owner }: Home, bin: string, settings: Settings): ChildProcess {
  const program = new URL(`./watchdog${extname(import.meta.url)}`, import.meta.url)
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const uid = owner ? [String(owner.uid), String(owner.gid)] : ['', '']
  const log = openSync(logOf({ base }), 'w', 0o600)
  const watchdog = spawn(
    process.execPath,
    [fileURLToPath(program), ...uid, join(bin, 'postgres'), '-D', data, ...options],
    { stdio: ['pipe', 'pipe', log], detached: true, cwd: '/', env: {} }, // Ctrl-C is for the broker
  )
  closeSync(log)
  watchdog.stdin?.on('error', () => undefined) // Its end is seen by its exit.
  return watchdog
}

/** Whether the server came up; false when it ended instead. */
async function isReady(watchdog: ChildProcess, data: string): Promise<boolean> {
  const pid = await firstLine(watchdog)
  const isUp = () => {
    const lines = statusLines(data)
    return lines[0] === pid && lines[7]?.trim() === 'ready'
  }
  await comesTrue(READY_SECONDS, () => hasEnded(watchdog) || isUp())
  return !hasEnded(watchdog) && isUp()
}

/** What runs beside us does not keep us running. */
function letGo(watchdog: ChildProcess): void {
  for (const held of [watchdog, watchdog.stdin, watchdog.stdout]) (held as Socket | null)?.unref()
}

async function firstLine(watchdog: ChildProcess): Promise<string> {
  if (!watchdog.stdout) return ''
  for await (const line of createInterface(watchdog.stdout)) return line
  return ''
}

/** A fast shutdown: sessions are ended, what is committed is on disk. */
async function stop(watchdog: ChildProcess, home: Home): Promise<void> {
  watchdog.ref()
  watchdog.stdin?.destroy()
  if (!hasEnded(watchdog)) await once(watchdog, 'exit')
  await endLeftover(home) // Somebody may have killed the watchdog alone.
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null
}

function logOf({ base }: Pick<Home, 'base'>): string {
  return join(base, 'postgres.log')
}

function lastWords(log: string): string {
  const lines = log.split('\n').filter((line) => /FATAL|PANIC|ERROR/.test(line))
  return lines.slice(-3).join(' / ') || log.slice(-500)
}
