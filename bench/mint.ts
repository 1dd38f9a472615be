/**
 * What a mint costs: the broker and the ideal handler, in turns, under the same load, on the same durable
 * PostgreSQL. What counts is the ratio of their CPU a mint; rates and latencies are told beside it.
 */
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { createUndo } from '../src/cli/signals.ts'
import type { Client } from '../src/client/client.ts'
import { nextIndex, writtenSince } from './count.ts'
import { drive, idealClients, productClients } from './load.ts'
import { cpuOf, tableOf, type Turn } from './report.ts'
import { type ServerProcess, startServerProcess } from './server-process.ts'
import { type Side, startWorld } from './world.ts'

const CALLERS = [1, 32]
const WARM_UP_SECONDS = 2
/** Whatever hangs, it ends: the children go when they lose us. */
const LONGEST_MS = 15 * 60_000

/** The ideal was seen to trap in V8's deoptimiser; calls of Wasm that are inlined are the suspect. */
const NO_WASM_INLINING = '--no-turbo-inline-js-wasm-calls'

interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly profile?: string
}

interface Contender {
  readonly name: 'product' | 'ideal'
  readonly table: 'ledger.leaf' | 'leaf'
  readonly side: Side
  readonly process: ServerProcess
  readonly clients: () => Promise<Client[]>
}

const number = (max: number) => (text: string) => {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0 && value <= max) return value
  throw new Error(`${text} is not between 0 and ${String(max)}`)
}

await new Command('bench')
  .option('--seconds <n>', 'of each turn', number(15), 3)
  .option('--rounds <n>', 'turns of each server', number(20), 2)
  .option('--profile <folder>', 'where Node writes a CPU profile of the broker')
  .action(bench)
  .parseAsync()

async function bench(options: Options): Promise<void> {
  const late = setTimeout(() => process.exit(1), LONGEST_MS)
  const undo = createUndo()
  try {
    const { contenders, postgres } = await start(options, undo)
    const load = loadavg()[0] ?? NaN
    for (const contender of contenders) await drive(await contender.clients(), 32, WARM_UP_SECONDS)
    const turns: Turn[] = []
    for (const callers of CALLERS)
      for (let round = 0; round < options.rounds; round += 1)
        for (const contender of contenders)
          turns.push(await takeTurn(contender, callers, options.seconds))
    tell(turns, postgres, load)
  } finally {
    await undo.run()
    clearTimeout(late)
  }
}

async function start({ profile }: Options, undo: ReturnType<typeof createUndo>) {
  const world = await startWorld()
  undo.push(() => world.stop())
  const { people, product, ideal } = world
  const main = join(import.meta.dirname, '..', 'src', 'cli', 'main.ts')
  const profiling = profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
  const broker = await startServerProcess({ args: [...profiling, main, 'serve'], env: product.env })
  undo.push(() => broker.stop())
  const floor = await startServerProcess({
    ...{ args: [NO_WASM_INLINING, join(import.meta.dirname, 'ideal.ts')], env: ideal.env },
  })
  undo.push(() => floor.stop())
  const { issuer } = broker
  const contenders: Contender[] = [
    {
      ...{ name: 'product', table: 'ledger.leaf', side: product, process: broker },
      clients: () => productClients(issuer, (person) => people.token(person, issuer)),
    },
    {
      ...{ name: 'ideal', table: 'leaf', side: ideal, process: floor },
      clients: () => idealClients(floor.issuer),
    },
  ]
  return { contenders, postgres: world.postgres }
}

/** @throws Error, and the run is void, unless each mint left exactly two leaves */
async function takeTurn(contender: Contender, callers: number, seconds: number): Promise<Turn> {
  const { name, table, side, process: server } = contender
  const clients = await contender.clients()
  const first = await nextIndex(side.databaseUrl, table)
  const before = await server.cpuMicros()
  const driven = await drive(clients, callers, seconds)
  const cpuMicros = (await server.cpuMicros()) - before
  const written = await writtenSince(side.databaseUrl, table, first)
  if (written.leaves !== 2 * driven.mints) {
    const found = `${String(written.leaves)} leaves for ${String(driven.mints)} mints`
    throw new Error(`the run is void: ${name} left ${found}`)
  }
  return { ...driven, ...written, server: name, callers, cpuMicros }
}

function tell(turns: readonly Turn[], postgres: string, load: number): void {
  const of = (server: string, callers: number) =>
    turns.filter((turn) => turn.server === server && turn.callers === callers)
  const groups = CALLERS.flatMap((callers) => [of('product', callers), of('ideal', callers)])
  const ratios = CALLERS.map((callers) => {
    const ratio = cpuOf(of('product', callers)) / cpuOf(of('ideal', callers))
    return `${ratio.toFixed(2)} with ${String(callers)}`
  })
  const cores = `${String(availableParallelism())} cores, load ${load.toFixed(1)} before`
  const date = new Date().toISOString().slice(0, 10)
  process.stdout.write(`${date}, ${cores}, Node ${process.versions.node}, PostgreSQL ${postgres}\n`)
  process.stdout.write(`\n${tableOf(groups)}\n\n`)
  process.stdout.write(`CPU a mint, product ÷ ideal: ${ratios.join(', ')} callers\n`)
}
