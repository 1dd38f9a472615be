/**
 * `npm run bench -- --outage 10000`: that many logins become due while their target is down; it comes back.
 * What those who ask for another target notice, how long it takes, and what is left. Afterwards ten times
 * as many tokens that ran out while no broker was there.
 */
import { type Contender, startContenders } from './contender.ts'
import { left, makeDue, makeExpired } from './due-leases.ts'
import type { Gate } from './gate.ts'
import { quantile, tableTo } from './report.ts'
import type { Bench } from './turn.ts'

const SECONDS = 10
/** Whatever was not ended by then will not be. */
const ROUNDS_MAX = 120
/** Who asks for another target is to notice no more than double. */
const NOTICED_MAX = 2
const HEADINGS = [
  'while',
  'asked a second',
  'p50 ms',
  'p99 ms',
  'broker CPU',
  'due',
  'at the target',
]

export interface OutageOptions {
  readonly leases: number
  /** Mints a second for the target that is well. */
  readonly rate: number
}

/** Ends with 1 where others notice too much. @throws Error when anything is left, there or on our list */
export async function measureOutage(its: Bench, gate: Gate, options: OutageOptions): Promise<void> {
  const { leases, rate } = options
  const { product: side } = its.world
  const start = () => startContenders(its.world, ['product'], { workers: 1, profile: undefined })
  const table = tableTo(process.stdout, HEADINGS)
  const during = async (what: string, contender: Contender) => {
    const { cells, latencies } = await drive(its, contender, rate)
    const there = await left(side.databaseUrl)
    table([what, ...cells, String(there.due), String(there.logins)])
    return { ...there, latencies }
  }
  const untilOver = async (what: string, contender: Contender) => {
    const began = performance.now()
    const all: number[] = []
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const { due, latencies } = await during(what, contender)
      all.push(...latencies)
      if (due === 0) return { seconds: (performance.now() - began) / 1000, p99: p99Of(all) }
    }
    throw new Error('not all of it was ended')
  }

  const crew = await start()
  const [product] = crew.contenders
  if (product === undefined) throw new Error('no broker')
  let [well, ended] = [NaN, { seconds: NaN, p99: NaN }]
  try {
    for (let warm = 0; warm < 2; warm += 1) await drive(its, product, rate)
    well = p99Of((await during('all is well', product)).latencies)
    await gate.shut()
    await makeDue(its.world, leases)
    for (let round = 0; round < 3; round += 1) await during('the target is down', product)
    await gate.open()
    ended = await untilOver('it is back', product)
    await during('all is well again', product)
  } finally {
    await crew.stop()
  }
  say(`${String(leases)} logins were ended ${against(well, ended)}`)
  if ((await left(side.databaseUrl)).logins > 0) throw new Error('logins are left at the target')

  await makeExpired(its.world, 10 * leases)
  const again = await start()
  try {
    const [restarted] = again.contenders
    if (restarted === undefined) throw new Error('no broker')
    const took = await untilOver('many ran out meanwhile', restarted)
    say(`${String(10 * leases)} that had run out were put on record ${against(well, took)}`)
    await during('all is well', restarted)
  } finally {
    await again.stop()
  }
}

/** What others noticed, against when all was well; more than they are to notice is told by the exit, too. */
function against(well: number, { seconds, p99 }: { seconds: number; p99: number }): string {
  const isMore = p99 / well > NOTICED_MAX
  if (isMore) process.exitCode = 1
  return (
    `within ${seconds.toFixed(0)} s; p99 of all mints meanwhile ${p99.toFixed(1)} ms, ` +
    `${(p99 / well).toFixed(2)} × that of when all was well${isMore ? ': more than double' : ''}`
  )
}

async function drive({ load }: Bench, contender: Contender, rate: number) {
  const runs = await contender.runs()
  const { issuer } = contender.server
  const before = await contender.server.read()
  const began = performance.now()
  const order = { kind: 'open', rate, seconds: SECONDS, issuer, runs } as const
  const { mints, seconds, latencies } = await load.drive(order, () => undefined)
  const cpu = ((await contender.server.read()).cpuMicros - before.cpuMicros) / 1000
  const sorted = latencies.toSorted((one, other) => one - other)
  const share = (100 * cpu) / (performance.now() - began)
  const cells = [
    (mints / seconds).toFixed(0),
    quantile(sorted, 0.5).toFixed(1),
    quantile(sorted, 0.99).toFixed(1),
    `${share.toFixed(0)} %`,
  ]
  return { cells, latencies }
}

const p99Of = (latencies: readonly number[]) =>
  quantile(
    latencies.toSorted((one, other) => one - other),
    0.99,
  )

const say = (text: string) => process.stdout.write(`${text}\n`)
