/** A broker as it runs at work, in a process of its own, with the points planted in it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { STRUCK } from './fault.ts'
import type { Asked, Measured } from './points.ts'

const POINTS = join(import.meta.dirname, 'points.ts')
const MAIN = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')
/** Of a machine that is busy with other things too. */
const START_MS = 120_000
const STOP_MS = 30_000
const ASK_MS = 5000

export interface BrokerProcess {
  readonly pid: number
  readonly port: number
  /** Whether a fault has struck since it was last armed. */
  readonly hasStruck: () => boolean
  readonly isAlive: () => boolean
  /** Its exit code; `null` when a signal ended it. */
  readonly ended: Promise<number | null>
  /** Replaces what is armed; the empty text disarms. */
  arm(faults: string): Promise<void>
  measure(): Promise<Measured>
  signal(name: NodeJS.Signals): void
  /** SIGTERM, and SIGKILL where that does not help. Resolves when it is gone. */
  stop(): Promise<void>
}

export interface Starting {
  readonly env: Readonly<Record<string, string>>
  /** Gets all it prints. */
  readonly logFile: string
}

/** @throws Error with what it said when it does not start */
export async function startBroker({ env, logFile }: Starting): Promise<BrokerProcess> {
  const child = spawn(process.execPath, ['--import', POINTS, MAIN, 'serve'], {
    env: { PATH: process.env['PATH'], PROCURA_PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const log = createWriteStream(logFile, { flags: 'a' })
  let struck = 0
  child.stdout?.pipe(log, { end: false })
  child.stderr?.on('data', (chunk: Buffer) => {
    log.write(chunk)
    if (chunk.includes(STRUCK)) struck += 1
  })
  const ended = once(child, 'close').then(([code]) => {
    log.end()
    return code as number | null
  })
  const port = await listening(child, logFile)
  return {
    ...{ pid: child.pid ?? 0, port, ended, hasStruck: () => struck > 0 },
    isAlive: () => isRunning(child),
    async arm(faults) {
      struck = 0
      await ask(child, { arm: faults })
    },
    measure: async () => (await ask(child, { measure: true })) as Measured,
    signal: (name) => {
      child.kill(name)
    },
    stop: () => stop(child),
  }
}

const isRunning = (child: ChildProcess) => child.exitCode === null && child.signalCode === null

function listening(child: ChildProcess, logFile: string): Promise<number> {
  return new Promise((resolve, reject) => {
    let printed = ''
    const fail = () => {
      child.kill('SIGKILL')
      reject(new Error(`a broker did not start, see ${logFile}: ${printed}`))
    }
    const late = setTimeout(fail, START_MS)
    child.once('exit', fail)
    child.stderr?.on(
      'data',
      (chunk: Buffer) => (printed = (printed + chunk.toString()).slice(-2000)),
    )
    child.stdout?.on('data', (chunk: Buffer) => {
      printed = (printed + chunk.toString()).slice(-2000)
      const port = /^listens +\S+:(\d+)\n/m.exec(printed)?.[1]
      if (port === undefined) return
      clearTimeout(late)
      child.off('exit', fail)
      resolve(Number(port))
    })
  })
}

/** @throws Error when it is gone, or stands still */
async function ask(child: ChildProcess, asked: Asked): Promise<unknown> {
  const gone = new AbortController()
  const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(ASK_MS)])
  const answer = once(child, 'message', { signal })
  // Without this it would be an error of the child, which nobody hears, and our end.
  child.send(asked, (error) => {
    if (error !== null) gone.abort(error)
  })
  const [told] = (await answer) as [unknown]
  return told
}

async function stop(child: ChildProcess): Promise<void> {
  if (!isRunning(child)) return
  const gone = once(child, 'exit')
  child.kill('SIGCONT')
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await gone
  clearTimeout(late)
}
