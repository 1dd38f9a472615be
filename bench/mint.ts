/**
 * What a mint costs: the broker and the ideal handler, in turns, under the same load, on the same durable
 * PostgreSQL. What counts is the ratio of their CPU a mint; rates and latencies are told beside it.
 */
import { availableParallelism, loadavg } from 'node:os'
import { Command, Option } from 'commander'
import { createUndo, untilStopped } from '../src/cli/signals.ts'
import { AGAINST, type Name, type Server, startContenders } from './contender.ts'
import { measureDepths } from './depths.ts'
import { type Gate, startGate } from './gate.ts'
import { measureOutage, type OutageOptions } from './outage.ts'
import { type Amount, fill } from './fill.ts'
import { startLoad } from './load.ts'
import { meterPostgres, syncMicros } from './machine.ts'
import { cpuOf, insideOf, postgresOf, rateOf, shapeOf, tableOf, tellProven } from './report.ts'
import { type Bench, MOST_CALLERS, type Shape, takeTurn, type Turn, warmUp } from './turn.ts'
import { measureStarts } from './starts.ts'
import { startWorld, type Ways } from './world.ts'

/** Whatever hangs, it ends: the children go when they lose us. */
const LONGEST_MS = 60 * 60_000

interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly callers: readonly number[]
  readonly workers: readonly number[]
  readonly open: boolean
  readonly rate?: number
  readonly profile?: string
  readonly gate?: boolean
  readonly filled?: string | true
  readonly depths: readonly number[]
  readonly counted?: boolean
  readonly outage?: number
  readonly starts?: number
}

/** Product ÷ the ideal that it is held against, CPU a mint: more than this fails the gate. */
const RATIO_MAX = 5.2
const GATE = { seconds: 2, rounds: 3, callers: [MOST_CALLERS], workers: [1], open: false } as const
const DEPTHS = [0, 1, 2, 3, 4, 5, 6, 7]
const FILLED = { leases: 1_000_000, entries: 5_000_000 }

const number = (max: number) => (text: string) => {
  const value = Number(text)
  if (Number.isFinite(value) && value > 0 && value <= max) return value
  throw new Error(`${text} is not between 0 and ${String(max)}`)
}
const numbers = (max: number) => (text: string) => text.split(',').map(number(max))

const OUTAGE_RATE = 50
const OUTAGE_HELP =
  'so many logins become due while their target is down, and what those notice who ask for another'
const DEPTHS_HELP =
  'the broker alone: 32 callers with sessions so many hops (0 to 7) below a consent, and what opening one costs'
const depths = (text: string) => {
  const all = text.split(',').map(Number)
  if (all.every((depth) => DEPTHS.includes(depth))) return all
  throw new Error(`${text} is not a list of depths from 0 to 7`)
}

await new Command('bench')
  .option('--seconds <n>', 'of each turn', number(60), 3)
  .option('--rounds <n>', 'turns of each server', number(20), 2)
  .option('--callers <list>', 'of the closed loop', numbers(256), [1, MOST_CALLERS])
  .option('--workers <list>', 'processes of each server', numbers(64), [1, 2])
  .option(
    '--rate <n>',
    'arrivals a second of the open loop (half of what was reached)',
    number(1e5),
  )
  .option('--no-open', 'no open loop')
  .option('--profile <folder>', 'where Node writes a CPU profile of the broker')
  .option('--gate', 'short; ends with 1 if a mint costs more than it may')
  .option('--filled [leases,entries]', 'the same again, on a database that has been in use')
  .addOption(
    new Option('--outage <n>', OUTAGE_HELP)
      .argParser(number(100_000))
      .conflicts(['gate', 'filled', 'depths', 'counted', 'profile']),
  )
  .addOption(
    new Option('--starts <n>', 'how long so many starts take, with --workers processes')
      .argParser(number(100))
      .conflicts(['gate', 'filled', 'depths', 'counted', 'profile', 'outage']),
  )
  .addOption(
    new Option('--depths <list>', DEPTHS_HELP)
      .argParser(depths)
      .default([0], '0: all of the above, at no depth')
      .conflicts(['gate', 'filled']),
  )
  .addOption(
    new Option(
      '--counted',
      'with --depths: also with a number of calls of its own at each hop',
    ).conflicts(['gate', 'filled']),
  )
  .action((options: Options) => bench(options.gate === true ? { ...options, ...GATE } : options))
  .parseAsync()

async function bench(options: Options): Promise<void> {
  const late = setTimeout(() => {
    process.stderr.write('the run is void: it took more than an hour\n')
    process.exit(1)
  }, LONGEST_MS)
  const undo = createUndo()
  const stopped = untilStopped().then((signal) => {
    throw new Error(`stopped by ${signal}`)
  })
  try {
    await Promise.race([run(options, undo), stopped])
  } finally {
    await undo.run()
    clearTimeout(late)
  }
}

type Undo = ReturnType<typeof createUndo>

async function run(options: Options, undo: Undo): Promise<void> {
  const load = loadavg()[0] ?? NaN
  if (options.outage !== undefined) {
    await outage(undo, load, { leases: options.outage, rate: options.rate ?? OUTAGE_RATE })
    return
  }
  const its = await prepare(undo)
  tellMachine(its, load)
  if (options.starts !== undefined) {
    await measureStarts(its, { starts: options.starts, workers: options.workers })
    return
  }
  if (options.counted === true || options.depths.some((depth) => depth > 0)) {
    for (const workers of options.workers) await measureDepths(its, { ...options, workers })
    return
  }
  const names = namesFor(options)
  const fresh = await measureAll(its, names, options)
  if (options.gate === true) judge(fresh)
  if (options.filled === undefined) return
  await fill(its.world, amountOf(options.filled))
  tellGrowth(fresh, await measureAll(its, names, options, fresh))
}

async function outage(undo: Undo, load: number, options: OutageOptions): Promise<void> {
  const gates: Gate[] = []
  const its = await prepare(undo, {
    async way(port) {
      const gate = await startGate(port)
      undo.push(() => gate.stop())
      gates.push(gate)
      return gate.port
    },
  })
  tellMachine(its, load)
  const [gate] = gates
  if (gate === undefined) throw new Error('the target has no gate')
  await measureOutage(its, gate, options)
}

async function prepare(undo: Undo, ways: Ways = {}): Promise<Bench> {
  const world = await startWorld(ways)
  undo.push(() => world.stop())
  const load = startLoad()
  undo.push(() => load.stop())
  return { world, load, postgres: await meterPostgres(world.product.databaseUrl) }
}

/** What is gated is held against one floor; what grows is compared with itself. */
function namesFor({ gate, filled }: Options): readonly Server[] {
  if (filled !== undefined) return ['product']
  return gate === true ? ['product', AGAINST] : ['product', 'ideal wasm', 'ideal compiled']
}

/** @param before whose open loops are driven at the same rates again */
async function measureAll(
  its: Bench,
  names: readonly Server[],
  options: Options,
  before: readonly (readonly Turn[])[] = [],
): Promise<Turn[][]> {
  const all: Turn[][] = []
  for (const workers of options.workers) {
    const same = before.flat().filter((turn) => turn.workers === workers)
    const [rate] = same.flatMap(({ shape }) => (shape.kind === 'open' ? shape.rate : []))
    const again = rate === undefined ? {} : { rate }
    const groups = await measure(its, names, { ...options, ...again, workers })
    tell(groups)
    all.push(...groups)
  }
  return all
}

/** A B A B: all servers with so many workers, in turns. */
async function measure(
  its: Bench,
  names: readonly Server[],
  options: Omit<Options, 'workers'> & { readonly workers: number },
): Promise<Turn[][]> {
  const { seconds, rounds, callers, open, rate, workers, profile } = options
  const { contenders, stop } = await startContenders(its.world, names, { workers, profile })
  try {
    const groups: Turn[][] = []
    const round = async (shape: Shape, wanted: readonly Name[]) => {
      const taken = contenders
        .filter(({ name }) => wanted.includes(name))
        .map((contender) => ({ contender, turns: [] as Turn[] }))
      for (let nth = 0; nth < rounds; nth += 1)
        for (const { contender, turns } of taken) turns.push(await takeTurn(its, contender, shape))
      groups.push(...taken.map(({ turns }) => turns))
    }
    for (const contender of contenders) await warmUp(its, contender)
    for (const each of callers) await round({ kind: 'closed', callers: each, seconds }, names)
    const reached = rateOf(groups.flat().filter(({ server }) => server === 'product'))
    if (open)
      await round({ kind: 'open', rate: rate ?? reached / 2, seconds }, ['product', AGAINST])
    return groups
  } finally {
    await stop()
  }
}

function tellMachine({ world }: Bench, load: number): void {
  const cores = `${String(availableParallelism())} cores, load ${load.toFixed(1)} before`
  const date = new Date().toISOString().slice(0, 10)
  const disk = `a sync of the disk ${syncMicros(world.dataDir).toFixed(0)} µs`
  const versions = `Node ${process.versions.node}, PostgreSQL ${world.postgres}`
  process.stdout.write(`${date}, ${cores}, ${versions}, ${disk}\n`)
}

function tell(groups: readonly (readonly Turn[])[]): void {
  process.stdout.write(`\n${tableOf(groups)}\n\n`)
  for (const group of groups) {
    const [first] = group
    if (first?.server !== 'product' || first.shape.kind === 'open') continue
    const { callers } = first.shape
    for (const floor of groups) {
      const [other] = floor
      const isSame = other?.shape.kind === 'closed' && other.shape.callers === callers
      if (!isSame || other.server === 'product') continue
      const cpu = (cpuOf(group) / cpuOf(floor)).toFixed(2)
      const rate = (rateOf(group) / rateOf(floor)).toFixed(2)
      const what = `product ÷ ${other.server}${other.server === AGAINST ? ' (what counts)' : ''}`
      const where = `${String(first.workers)} workers, ${String(callers)} callers`
      process.stdout.write(`${what}, ${where}: CPU a mint ${cpu}, requests/s ${rate}\n`)
    }
  }
  tellProven(groups)
}

function amountOf(filled: string | true): Amount {
  if (filled === true) return FILLED
  const [leases = NaN, entries = NaN] = filled.split(',').map(Number)
  if (leases > 0 && entries > 0) return { leases, entries }
  throw new Error(`${filled} is not a number of leases and one of entries`)
}

function judge(groups: readonly (readonly Turn[])[]): void {
  const of = (name: Server) => groups.filter(([first]) => first?.server === name).flat()
  const ratio = cpuOf(of('product')) / cpuOf(of(AGAINST))
  const verdict = ratio <= RATIO_MAX ? 'within' : 'above'
  process.stdout.write(`gate: ${ratio.toFixed(2)} is ${verdict} ${RATIO_MAX.toFixed(2)}\n`)
  if (ratio > RATIO_MAX) process.exitCode = 1
}

/** What is the same on a fresh database and a filled one, side by side. */
function tellGrowth(fresh: readonly (readonly Turn[])[], filled: readonly (readonly Turn[])[]) {
  for (const [at, before] of fresh.entries()) {
    const after = filled[at] ?? []
    const grown = (of: (turns: readonly Turn[]) => number) =>
      `${((of(after) / of(before) - 1) * 100).toFixed(0)} %`
    const what = `${String(before[0]?.workers)} workers, ${before[0] ? shapeOf(before[0]) : ''}`
    const all = [grown(cpuOf), grown(postgresOf), grown(rateOf), grown((it) => insideOf(it, 0.99))]
    const [cpu = '', postgres = '', rate = '', p99 = ''] = all
    process.stdout.write(
      `filled ÷ fresh, ${what}: CPU ${cpu}, PostgreSQL ${postgres}, requests/s ${rate}, p99 inside ${p99}\n`,
    )
  }
}
