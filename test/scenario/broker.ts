/** Brokers, each a process of its own, configured by the environment, asked over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll } from 'vitest'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
const START_SECONDS = 55
/**
 * Most brokers of tests live for seconds. A third of what they took of the processor was V8 making quick
 * WebAssembly (Cedar, the grammar of SQL) that was hardly run any more.
 */
const SHORT_LIVED = ['--liftoff-only']
/** Cedar alone decides, unless it is said otherwise: to hold compiled rules against it takes as much again. */
const BY_CEDAR = { PROCURA_POLICY_EVALUATOR: 'wasm' }
/** As at work, but for V8's second tier. No answer tells who decided it. */
export const COMPILED = { PROCURA_POLICY_EVALUATOR: 'compiled' }

export interface Process {
  readonly pid: number
  /** What it printed so far. */
  readonly stdout: () => string
  readonly stderr: () => string
  readonly signal: (name: NodeJS.Signals) => void
  /** Its exit code; `null` when a signal ended it. */
  readonly ended: Promise<number | null>
}

export interface BrokerProcess extends Process {
  readonly issuer: string
  readonly port: number
}

const running = new Set<ChildProcess>()

interface StartOptions {
  /** As it runs at work, where what it costs to make it quick is soon earned. */
  readonly isAsShipped?: boolean
}

/** Starts a command that goes on running; resolves when a line of its output matches. */
export async function start(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  ready: RegExp,
  { isAsShipped = false }: StartOptions = {},
): Promise<Process & { readonly match: RegExpExecArray }> {
  const child = spawn(process.execPath, [...(isAsShipped ? [] : SHORT_LIVED), MAIN, ...args], {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  const ended = once(child, 'close').then(([code]) => {
    running.delete(child)
    return code as number | null
  })
  const deadline = performance.now() + START_SECONDS * 1000
  for (;;) {
    const match = ready.exec(stdout())
    const signal = (name: NodeJS.Signals) => {
      child.kill(name)
    }
    if (match) return { pid: child.pid ?? 0, match, stdout, stderr, signal, ended }
    const isOver = child.exitCode !== null || child.signalCode !== null
    if (isOver || performance.now() > deadline) {
      child.kill('SIGKILL')
      await Promise.race([ended, pause(1000)]) // What it said last may be read after its exit.
      throw new Error(`procura ${args.join(' ')} did not start: ${stderr()}${stdout()}`)
    }
    await pause(20)
  }
}

export async function startBroker(
  env: Readonly<Record<string, string>>,
  options: readonly string[] = [],
  how: StartOptions = {},
): Promise<BrokerProcess> {
  const own = { PROCURA_PORT: '0', ...BY_CEDAR, ...env }
  const begin = () => start(['serve', ...options], own, READY, how)
  // A port that was free when it was chosen may be somebody else's by the time that it is used.
  const started = await begin().catch((error: unknown) => {
    if (own.PROCURA_PORT === '0' && String(error).includes('EADDRINUSE')) return begin()
    throw error
  })
  const [, issuer = '', port = ''] = started.match
  return { ...started, issuer, port: Number(port) }
}
const READY = /^ready +(\S+)\nlistens +\S+:(\d+)\n/m

function collect(stream: NodeJS.ReadableStream): () => string {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks).toString()
}

const cleanUps: (() => Promise<void>)[] = []

/** For what brokers use: done when all of them have ended, so that none writes where it is removed. */
export function afterBrokers(cleanUp: () => Promise<void>): void {
  cleanUps.push(cleanUp)
}

afterAll(async () => {
  await Promise.all([...running].map(end))
  for (const cleanUp of cleanUps) await cleanUp()
})

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 10_000)
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  clearTimeout(late)
}
