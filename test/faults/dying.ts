/** Processes that are killed: one that delivers, and what says from outside how far it got. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Order, Said } from './deliverer.ts'

const LATE_MS = 20_000

/** What was made, in the words of the process that made it, by lease. */
export type Shown = ReadonlyMap<string, Readonly<Record<string, string>> | null>

export interface Deliverer {
  order(order: Order): void
  /** Resolves when so many of its leases stand where they are to. */
  standing(count: number): Promise<Shown>
  /** Resolves when so many are past all steps. */
  passed(count: number): Promise<void>
  /** Resolves when this does, unless something went wrong there before. */
  until<T>(work: Promise<T>): Promise<T>
  sweep(): void
  /** Resolves when it is gone. */
  kill(): Promise<void>
}

/** A script of the tests in a process that goes with its parent. */
export function aChild(script: string, ...args: string[]): ChildProcess {
  return fork(join(import.meta.dirname, script), args, {
    ...{ execArgv: [], env: { PATH: process.env['PATH'] } },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
}

/** SIGKILL: it can do nothing about it. */
export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** Started, and waiting for its order. */
export async function aDeliverer(): Promise<Deliverer> {
  const child = aChild('deliverer.ts')
  const [standing, passed] = [
    new Map<string, Readonly<Record<string, string>> | null>(),
    new Set<string>(),
  ]
  let fail: (error: Error) => void = () => undefined
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject
  })
  failed.catch(() => undefined) // Told to whoever waits for it.
  child.on('message', (said: Said) => {
    if ('failed' in said) fail(new Error(`the deliverer: ${said.failed}`))
    if ('stands' in said) standing.set(said.stands, said.shown)
    if ('passed' in said) passed.add(said.passed)
    child.emit('told')
  })
  child.once('exit', (code) => {
    fail(new Error(`the deliverer ended by itself: ${String(code)}`))
  })
  await Promise.race([once(child, 'message'), failed])

  async function until<T>(work: Promise<T>): Promise<T> {
    const late = AbortSignal.timeout(LATE_MS)
    const over = once(late, 'abort').then(() => {
      const where = `${String(standing.size)} stand, ${String(passed.size)} passed`
      throw new Error(`the deliverer got nowhere: ${where}`)
    })
    return await Promise.race([work, failed, over])
  }
  const count = async (has: () => number, many: number) => {
    while (has() < many) await once(child, 'told')
  }
  return {
    until,
    order: (order) => child.send(order),
    async standing(many) {
      await until(count(() => standing.size, many))
      return standing
    },
    passed: (many) => until(count(() => passed.size, many)),
    sweep: () => child.send('sweep'),
    kill: () => killed(child),
  }
}
