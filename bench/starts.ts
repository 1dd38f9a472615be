/**
 * `npm run bench -- --starts 5`: how long a broker takes from being started to its first answer, on a
 * migrated database in which its policy set is in force.
 */
import { startContenders } from './contender.ts'
import { quantile, tableTo } from './report.ts'
import type { Bench } from './turn.ts'

/** The quickest start of one process is to be no longer. */
const START_MS_MAX = 3000
const HEADINGS = ['workers', 'quickest ms', 'median ms', 'slowest ms', 'CPU ms']

export interface StartsOptions {
  /** Of each number of workers, after one that is not counted. */
  readonly starts: number
  readonly workers: readonly number[]
}

/** Ends with 1 where one process takes too long. */
export async function measureStarts(its: Bench, { starts, workers }: StartsOptions): Promise<void> {
  const line = tableTo(process.stdout, HEADINGS)
  for (const count of workers) {
    await startOnce(its, count)
    const taken: Start[] = []
    while (taken.length < starts) taken.push(await startOnce(its, count))
    const times = taken.map(({ ms }) => ms).sort((one, other) => one - other)
    const shown = [0, 0.5, 1].map((share) => quantile(times, share).toFixed(0))
    const cpu = Math.min(...taken.map(({ cpuMs }) => cpuMs))
    line([String(count), ...shown, cpu.toFixed(0)])
    if (count === 1 && quantile(times, 0) > START_MS_MAX) process.exitCode = 1
  }
}

interface Start {
  readonly ms: number
  readonly cpuMs: number
}

async function startOnce({ world }: Bench, workers: number): Promise<Start> {
  const began = performance.now()
  const { contenders, stop } = await startContenders(world, ['product'], {
    workers,
    profile: undefined,
  })
  try {
    const [product] = contenders
    if (product === undefined) throw new Error('no broker')
    const { status } = await fetch(`${product.server.issuer}/readyz`)
    if (status !== 200) throw new Error(`it started, and is not ready: ${String(status)}`)
    const ms = performance.now() - began
    const { cpuMicros } = await product.server.read()
    return { ms, cpuMs: cpuMicros / 1000 }
  } finally {
    await stop()
  }
}
