/** A measured server: a process of its own, or several, whose CPU is read over IPC. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { isReading, type Reading } from './meter-reading.ts'

const METER = join(import.meta.dirname, 'meter.ts')
const START_MS = 60_000
const STOP_MS = 60_000
const READING_MS = 5_000

export interface ServerProcess {
  readonly issuer: string
  /** Of all its processes, since they began; the times of answers, since it was last read. */
  read(): Promise<Reading>
  /** Resolves when it is gone. */
  stop(): Promise<void>
}

export interface Program {
  /** Options of Node, the file, and its own arguments. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** Starts it, and waits until it prints `ready <issuer>`. @throws Error with what it said instead */
export async function startServerProcess({ args, env }: Program): Promise<ServerProcess> {
  const child = spawn(process.execPath, ['--import', METER, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  try {
    const issuer = await readyLine(child)
    tellEnd(child)
    return { issuer, read: () => read(child), stop: () => stop(child) }
  } catch (error) {
    await stop(child)
    throw error
  }
}

function readyLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let printed = ''
    const fail = () => {
      reject(new Error(`a server did not start: ${printed}`))
    }
    const late = setTimeout(fail, START_MS)
    child.once('exit', fail)
    child.stdout?.on('data', (chunk: Buffer) => {
      printed = (printed + chunk.toString()).slice(-10_000)
      const issuer = /^ready +(\S+)\n/m.exec(printed)?.[1]
      if (issuer === undefined) return
      clearTimeout(late)
      child.off('exit', fail)
      resolve(issuer)
    })
  })
}

async function read(child: ChildProcess): Promise<Reading> {
  const answer = once(child, 'message', { signal: AbortSignal.timeout(READING_MS) })
  child.send('reading')
  const [message] = (await answer) as [unknown]
  if (!isReading(message)) throw new Error('a server said something else than what it has used')
  return message.reading
}

/** A server that ends by itself voids the run; which one, and how, is worth knowing. */
function tellEnd(child: ChildProcess): void {
  child.once('exit', (code, signal) => {
    if (child.killed) return
    const how = `${child.spawnargs.slice(-2).join(' ')} ended with ${String(signal ?? code)}`
    process.stderr.write(`${how}\n`)
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await gone
  clearTimeout(late)
}
