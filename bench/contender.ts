/** The servers that are measured: the broker, and the ideal with its policies in either form. */
import { join } from 'node:path'
import { createUndo } from '../src/cli/signals.ts'
import type { CedarForm } from './ideal-policy.ts'
import { idealRuns, productRuns } from './load.ts'
import type { RunOf } from './load-order.ts'
import type { Place } from './standing.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'
import type { BenchWorld, Side } from './world.ts'

/** How the broker evaluates policies now: the ideal in this form is what it is held against. */
export const PRODUCT_USES: CedarForm = 'compiled'

/** What is compared; the broker at a depth is the broker again, asked by sub-agents. */
export type Name = 'product' | `ideal ${CedarForm}` | `depth ${string}`
/** Those that have a process of their own. */
export type Server = Exclude<Name, `depth ${string}`>
export const AGAINST: Server = `ideal ${PRODUCT_USES}`

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

export const MAIN = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')
const IDEAL = join(import.meta.dirname, 'ideal.ts')

/** The ideal was seen to trap in V8's deoptimiser; calls of Wasm that are inlined are the suspect. */
const NO_WASM_INLINING = '--no-turbo-inline-js-wasm-calls'

/** Starts them, in this order; all or none. */
export async function startContenders(
  world: BenchWorld,
  names: readonly Server[],
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

/** One broker, and those who ask it, at each of these places. */
export async function startAtDepths(
  world: BenchWorld,
  places: readonly Place[],
  { workers, profile }: { readonly workers: number; readonly profile: string | undefined },
): Promise<Crew> {
  const product = await startProduct(world, workers, profile)
  const { people } = world
  const { server } = product
  const { issuer } = server
  const contenders = places.map((place) => ({
    ...product,
    name: nameOf(place),
    runs: () => productRuns(issuer, (person) => people.token(person, issuer), place),
  }))
  return { contenders, stop: () => server.stop() }
}

export const nameOf = ({ depth, counted }: Place): Name =>
  `depth ${String(depth)}${counted ? ', counted' : ''}`

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
  name: Exclude<Server, 'product'>,
): Promise<Contender> {
  const form = name.slice('ideal '.length)
  const args = [NO_WASM_INLINING, IDEAL, String(workers), form]
  const server = await startServerProcess({ args, env: side.env })
  return { name, workers, side, server, runs: () => idealRuns(server.issuer) }
}
