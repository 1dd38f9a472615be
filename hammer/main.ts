/** npm run hammer: faults under load, and afterwards the question whether everything still holds. */
import { mkdirSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { type Cell, cellOf, nameOf } from './cells.ts'
import { runCampaign } from './campaign.ts'
import { runChecker } from './final.ts'
import { type Kind, KINDS } from './fault.ts'
import { type Group, type Ran, runGroup } from './matrix.ts'
import { POINTS } from './places.ts'
import { runRaces } from './races.ts'
import { runSoak } from './soak.ts'
import { runZombies } from './zombie.ts'
import type { Stage } from './stage.ts'

interface MatrixOptions {
  readonly points: string
  readonly seeds: string
  readonly first: string
  readonly processes: string
  readonly kind?: string
  readonly keep?: string
  readonly together: boolean
}
interface CellOptions {
  readonly point: string
  readonly seed: string
  readonly processes: string
  readonly kind?: string
  readonly keep?: string
}

const program = new Command('hammer').description(
  'faults under load; afterwards all invariants, by a checker that sees only what anybody outside sees',
)

program
  .command('matrix')
  .description('a fault at each point of an issuance and of a revocation, seed by seed')
  .option('--points <list>', `of ${POINTS.join(' ')}`, 'all')
  .option('--seeds <n>', 'so many seeds', '20')
  .option('--first <seed>', 'the first of them', '1')
  .option('--processes <list>', 'over so many brokers', '1,2')
  .option('--kind <kind>', `one of ${KINDS.join(', ')}; drawn by the seed where it is left out`)
  .option('--keep <folder>', 'where journals and logs are kept')
  .option('--together', 'worlds of different sizes side by side', false)
  .action(matrix)

program
  .command('cell')
  .description('one cell of the matrix again')
  .requiredOption('--point <point>', 'for instance FP7')
  .requiredOption('--seed <n>')
  .option('--processes <n>', 'brokers', '1')
  .option('--kind <kind>', `one of ${KINDS.join(', ')}`)
  .option('--keep <folder>', 'where the journal and the logs are kept')
  .action(({ point, seed, processes, kind, keep }: CellOptions) =>
    runMatrix(
      [cellOf({ point, seed: Number(seed), processes: Number(processes), kind: kindOf(kind) })],
      {
        ...(keep === undefined ? {} : { keep }),
        isTogether: false,
      },
    ),
  )

program
  .command('campaign')
  .description('something random every few seconds: kills, stops, the database too')
  .option('--minutes <n>', 'of faults; two of calm follow', '10')
  .option('--seed <n>', 'of what happens when', '1')
  .option('--rate <n>', 'stories begun a second', '15')
  .action(async ({ minutes, seed, rate }: Record<'minutes' | 'seed' | 'rate', string>) => {
    end(await runCampaign({ minutes: Number(minutes), seed: Number(seed), rate: Number(rate) }))
  })

program
  .command('soak')
  .description('mixed load without faults: what grows?')
  .option('--minutes <n>', 'of load', '10')
  .option('--rate <n>', 'stories begun a second', '40')
  .action(async ({ minutes, rate }: Record<'minutes' | 'rate', string>) => {
    end(await runSoak({ minutes: Number(minutes), rate: Number(rate) }))
  })

program
  .command('races')
  .description('two brokers are asked for one thing at once, or for what is being ended')
  .option('--rounds <n>', 'of each race', '1000')
  .option('--seed <n>', 'of who comes when', '1')
  .action(async ({ rounds, seed }: Record<'rounds' | 'seed', string>) => {
    end(await runRaces(Number(rounds), Number(seed)))
  })

program
  .command('zombie')
  .description('brokers stand still in the middle of an issuance, and wake when it is over')
  .option('--seconds <n>', 'that they stand still', '65')
  .action(async ({ seconds }: { seconds: string }) => {
    end(await runZombies({ seconds: Number(seconds) }))
  })

await program.parseAsync()

function kindOf(text: string | undefined): Kind | undefined {
  if (text === undefined) return undefined
  const kind = KINDS.find((it) => it === text)
  if (kind === undefined) throw new Error(`the kinds are ${KINDS.join(', ')}`)
  return kind
}

function end(isGood: boolean): void {
  process.exitCode = isGood ? 0 : 1
}

async function matrix(options: MatrixOptions): Promise<void> {
  const points = options.points === 'all' ? POINTS : options.points.split(',')
  const kind = kindOf(options.kind)
  const first = Number(options.first)
  const seeds = Array.from({ length: Number(options.seeds) }, (_, at) => first + at)
  const cells = options.processes
    .split(',')
    .flatMap((processes) =>
      seeds.flatMap((seed) =>
        points.map((point) => cellOf({ point, seed, processes: Number(processes), kind })),
      ),
    )
  await runMatrix(cells, {
    ...(options.keep === undefined ? {} : { keep: options.keep }),
    isTogether: options.together,
  })
}

interface Running {
  readonly keep?: string
  readonly isTogether: boolean
}

async function runMatrix(cells: readonly Cell[], { keep, isTogether }: Running): Promise<void> {
  const since = performance.now()
  let done = 0
  let isGood = true
  const tell = ({ cell, ms, violations }: Ran) => {
    done += 1
    const mark = violations.length === 0 ? '✓' : '✗'
    const place = `${String(done)}/${String(cells.length)}`
    console.log(`${mark} ${place} ${nameOf(cell)}, ${(ms / 1000).toFixed(1)} s`)
    for (const text of violations) console.log(`       ${text}`)
    if (violations.length > 0) isGood = false
  }
  const sizes = [...new Set(cells.map(({ processes }) => processes))]
  const run = async (processes: number) => {
    const own = cells.filter((cell) => cell.processes === processes)
    const group = await runGroup(own, {
      ...{ processes, tell },
      keep: async (stage) => {
        if (keep !== undefined)
          await keepTraces(stage, join(keep, `processes-${String(processes)}`))
        if (!(await runChecker(stage))) isGood = false
      },
    })
    console.log(summary(processes, group))
    if (group.late.length > 0) isGood = false
  }
  if (isTogether) await Promise.all(sizes.map(run))
  else for (const processes of sizes) await run(processes)
  console.log(
    `${String(cells.length)} cells in ${((performance.now() - since) / 60_000).toFixed(1)} min`,
  )
  end(isGood)
}

function summary(processes: number, { ran, restarts, calmMs, late }: Group): string {
  const bad = ran.filter(({ violations }) => violations.length > 0).length
  const head = `${String(processes)} processes: ${String(ran.length)} cells, ${String(bad)} with violations`
  const calm = `${String(restarts)} restarts, calm after ${(calmMs / 1000).toFixed(0)} s`
  return [`${head}, ${calm}`, ...late.map((text) => `only at the end: ${text}`)].join('\n')
}

/** The journal, what was printed, what was witnessed; not the database. */
async function keepTraces({ world }: Stage, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const own = join(world.folder, 'data')
  const keys = join(world.folder, 'keys')
  await cp(world.folder, folder, {
    recursive: true,
    filter: (path) => !path.startsWith(own) && !path.startsWith(keys),
  })
}
