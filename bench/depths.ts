/**
 * What depth costs: one broker, asked in turns by agents straight under a consent and by those below hops;
 * and what opening the session of each costs.
 */
import { createCaller } from '../src/client/person.ts'
import { type Contender, nameOf, startAtDepths } from './contender.ts'
import { inLanes, openAll, type OpeningCost, OPENINGS, openingsAt } from './opening.ts'
import { cpuOf, postgresOf, quantile, rateOf, tableOf, tellProven } from './report.ts'
import { type Place, type Standing, standingAt } from './standing.ts'
import { type Bench, BRIEFLY_SECONDS, MOST_CALLERS, takeTurn, type Turn, warmUp } from './turn.ts'
import { withClient } from './world.ts'

export interface DepthsOptions {
  readonly depths: readonly number[]
  /** Besides, each with hops that have a number of calls of their own. */
  readonly counted?: boolean
  readonly seconds: number
  readonly rounds: number
  readonly workers: number
  readonly profile?: string
}

/** @throws Error, and the run is void, unless each mint and each session left its entries and no others */
export async function measureDepths(its: Bench, options: DepthsOptions): Promise<void> {
  const places = placesOf(options)
  const { workers, profile } = options
  const { contenders, stop } = await startAtDepths(its.world, places, { workers, profile })
  try {
    // Sessions first: later the credentials of the mints run out, and are swept meanwhile.
    const openings = await measureOpenings(its, contenders, options)
    const [first, ...others] = contenders
    if (first !== undefined) await warmUp(its, first)
    for (const contender of others) await warmUp(its, contender, BRIEFLY_SECONDS)
    const groups = contenders.map(() => [] as Turn[])
    const shape = { kind: 'closed', callers: MOST_CALLERS, seconds: options.seconds } as const
    for (let nth = 0; nth < options.rounds; nth += 1)
      for (const [at, contender] of contenders.entries())
        groups[at]?.push(await takeTurn(its, contender, shape))
    tellMints(groups)
    tellProven(groups)
    tellOpenings(openings)
  } finally {
    await stop()
  }
}

function placesOf({ depths, counted = false }: DepthsOptions): Place[] {
  const all = depths.map((depth) => ({ depth, counted: false }))
  const hops = depths.filter((depth) => depth > 0)
  return counted ? [...all, ...hops.map((depth) => ({ depth, counted: true }))] : all
}

/** The first round warms up. Afterwards the smallest of each: other work on a machine only ever adds. */
async function measureOpenings(
  its: Bench,
  [contender]: readonly Contender[],
  { depths, rounds }: DepthsOptions,
): Promise<OpeningCost[][]> {
  if (contender === undefined) return []
  const groups = new Map<string, OpeningCost[]>()
  for (let nth = 0; nth <= rounds; nth += 1) {
    for (const depth of depths) {
      const standings = await standingsAt(its, contender, depth)
      for (const opening of openingsAt(depth)) {
        const cost = await openAll(contender, opening, { standings, postgres: its.postgres })
        const name = `${String(depth)} ${opening.what}`
        if (nth > 0) groups.set(name, [...(groups.get(name) ?? []), cost])
      }
    }
    if (nth === 0) await withClient(contender.side.databaseUrl, (client) => client.query('analyze'))
  }
  return [...groups.values()]
}

async function standingsAt(
  { world: { people } }: Bench,
  { server: { issuer } }: Contender,
  depth: number,
): Promise<Standing[]> {
  const sponsor = createCaller(issuer, () => people.token('kim', issuer))
  const stand = await standingAt({ depth, counted: false }, issuer, sponsor)
  const made: Standing[] = []
  await inLanes(Array.from({ length: OPENINGS }), async () => {
    const standing = await stand()
    await standing.prepare()
    made.push(standing)
  })
  return made
}

function tellMints(groups: readonly (readonly Turn[])[]): void {
  process.stdout.write(`\n${tableOf(groups)}\n\n`)
  const [first = [], ...others] = groups
  for (const other of others) {
    const ratio = (of: (turns: readonly Turn[]) => number) => (of(other) / of(first)).toFixed(2)
    const what = `${String(other[0]?.server)} ÷ ${String(first[0]?.server)}`
    const told = `CPU a mint ${ratio(cpuOf)}, PostgreSQL ${ratio(postgresOf)}`
    process.stdout.write(`${what}: ${told}, requests/s ${ratio(rateOf)}\n`)
  }
}

const HEADINGS = ['session', 'opened with', 'CPU ms', 'PostgreSQL ms', 'p50 ms', 'p99 ms']

function tellOpenings(groups: readonly (readonly OpeningCost[])[]): void {
  const lines = groups.map((costs) => {
    const smallest = (of: (cost: OpeningCost) => number) =>
      (Math.min(...costs.map(of)) / 1000).toFixed(2)
    const took = costs.flatMap(({ tookMs }) => tookMs).sort((one, other) => one - other)
    const { depth = 0, what = '' } = costs[0]?.opening ?? {}
    return [
      ...[nameOf({ depth, counted: false }), what],
      ...[smallest((cost) => cost.cpuMicros), smallest((cost) => cost.postgresMicros)],
      ...[quantile(took, 0.5).toFixed(1), quantile(took, 0.99).toFixed(1)],
    ]
  })
  const rule = HEADINGS.map((_, at) => (at < 2 ? '---' : '---:'))
  const table = [HEADINGS, rule, ...lines].map((cells) => `| ${cells.join(' | ')} |`)
  process.stdout.write(`\n${table.join('\n')}\n`)
}
