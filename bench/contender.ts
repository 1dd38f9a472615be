/** The servers that are measured: the broker, and the ideal with its policies in either form. */
import { join } from 'node:path'
import { createUndo } from '../src/cli/signals.ts'
import type { CedarForm } from './ideal-policy.ts'
import { idealRuns, productRuns } from './load.ts'
import type { RunOf } from './load-order.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'
import type { BenchWorld, Side } from './world.ts'

/** How the broker evaluates policies now: the ideal in this form is what it is held against. */
export const PRODUCT_USES: CedarForm = 'compiled'

export type Name = 'product' | `ideal ${CedarForm}`
export const AGAINST: Name = `ideal ${PRODUCT_USES}`

export interface Contender {
  readonly name: Name
  readonly workers: number
  readonly side: Side
  readonly server: ServerProcess
  readonly runs: () => Promise<RunOf[]>
}

export interface Crew {
  readonly contenders: readonly Contender[]
  readonly stop: () => Promise<void>
}

const MAIN = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')
const IDEAL = join(import.meta.dirname, 'ideal.ts')

/** The ideal was seen to trap in V8's deoptimiser; calls of Wasm that are inlined are the suspect. */
const NO_WASM_INLINING = '--no-turbo-inline-js-wasm-calls'

/** Starts them, in this order; all or none. */
export async function startContenders(
  world: BenchWorld,
  names: readonly Name[],
  { workers, profile }: { readonly workers: number; readonly profile: string | undefined },
): Promise<Crew> {
  const undo = createUndo()
  try {
    const contenders: Contender[] = []
    for (const name of names) {
      const contender = await (name === 'product'
        ? startProduct(world, workers, profile)
        : startIdeal(world, workers, name))
      undo.push(() => contender.server.stop())
      contenders.push(contender)
    }
    return { contenders, stop: () => undo.run() }
  } catch (error) {
    await undo.run()
    throw error
  }
}

async function startProduct(
  { product: side, people }: BenchWorld,
  workers: number,
  profile: string | undefined,
): Promise<Contender> {
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const args = [...profiling, MAIN, 'serve', '--workers', String(workers)]
  const server = await startServerProcess({ args, env: side.env })
  const { issuer } = server
  const runs = () => productRuns(issuer, (person) => people.token(person, issuer))
  return { name: 'product', workers, side, server, runs }
}

async function startIdeal(
  { ideal: side }: BenchWorld,
  workers: number,
  name: Exclude<Name, 'product'>,
): Promise<Contender> {
  const form = name.slice('ideal '.length)
  const args = [NO_WASM_INLINING, IDEAL, String(workers), form]
  const server = await startServerProcess({ args, env: side.env })
  return { name, workers, side, server, runs: () => idealRuns(server.issuer) }
}
