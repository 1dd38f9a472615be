/** F77: something random every few seconds, under load; then calm, and all invariants. */
import { setTimeout as pause } from 'node:timers/promises'
import { faultOf, kindsOf } from './cells.ts'
import { runChecker } from './final.ts'
import { POINTS } from './places.ts'
import { type Random, randomOf } from './random.ts'
import { setStage, type Stage, untilCalm } from './stage.ts'
import { percentile, startStream } from './stream.ts'
import { watch } from './watcher.ts'
import type { Replica } from './world.ts'

const CALM_MS = 120_000

export interface Campaign {
  readonly minutes: number
  readonly seed: number
  readonly rate: number
}

/** @returns whether everything held */
export async function runCampaign({ minutes, seed, rate }: Campaign): Promise<boolean> {
  console.log(`campaign of ${String(minutes)} min, seed ${String(seed)}`)
  const stage = await setStage(2)
  try {
    const random = randomOf(seed)
    const watcher = watch(stage.world, stage.journal, randomOf(seed))
    const stream = startStream(stage, rate, seed)
    const faults = await disturb(stage, random, performance.now() + minutes * 60_000)
    await stage.supervisor.settled()
    const calmMs = await untilCalm(stage)
    await pause(CALM_MS)
    const { begun, skipped, latencies, errors } = await stream.stop()
    await watcher.stop()
    await untilCalm(stage)
    const { inclusion, consistency } = watcher.proven
    console.log(`${String(faults)} faults, ${String(stage.supervisor.restarts())} restarts`)
    console.log(
      `${String(begun)} stories, ${String(skipped)} not begun, p50 ${told(latencies, 0.5)}`,
    )
    console.log(`calm after ${(calmMs / 1000).toFixed(0)} s`)
    console.log(
      `${String(inclusion)} inclusions, ${String(consistency)} consistencies proven meanwhile`,
    )
    for (const text of [...watcher.violations, ...errors.map(String)]) console.log(`✗ ${text}`)
    const isSound = await runChecker(stage)
    return isSound && watcher.violations.length === 0 && errors.length === 0
  } finally {
    await stage.stop()
  }
}

const told = (latencies: readonly number[], share: number) =>
  `${percentile(latencies, share).toFixed(0)} ms`

/** A fault every three to ten seconds. How many it were. */
async function disturb(stage: Stage, random: Random, end: number): Promise<number> {
  let faults = 0
  while (performance.now() < end) {
    const what = random.pick([DEATH, ALL_DEAD, STANDSTILL, POINT, POINT, POINT, DATABASE])
    const replica = stage.world.replicas[random.below(stage.world.replicas.length)]
    if (replica === undefined) throw new RangeError('there is no replica')
    await stage.supervisor.settled()
    const name = await what(stage, replica, random)
    stage.note('fault', name)
    console.log(`${new Date().toISOString()} ${name}`)
    faults += 1
    await pause(3000 + random.below(7000))
  }
  return faults
}

type What = (stage: Stage, replica: Replica, random: Random) => Promise<string>

const DEATH: What = (_stage, { number, broker }) => {
  broker().signal('SIGKILL')
  return Promise.resolve(`replica ${String(number)} is killed`)
}

const ALL_DEAD: What = ({ world }) => {
  for (const { broker } of world.replicas) broker().signal('SIGKILL')
  return Promise.resolve('all replicas are killed')
}

const STANDSTILL: What = async (_stage, { number, broker }, random) => {
  const [stopped, ms] = [broker(), 1000 + random.below(9000)]
  stopped.signal('SIGSTOP')
  await pause(ms)
  stopped.signal('SIGCONT')
  return `replica ${String(number)} stood still for ${String(ms)} ms`
}

const POINT: What = async (_stage, { number, broker }, random) => {
  const point = POINTS[random.below(POINTS.length)] ?? 'FP4'
  const kinds = kindsOf(point).filter((kind) => kind !== 'stop')
  const kind = kinds[random.below(kinds.length)] ?? 'kill'
  const fault = faultOf({ point, kind, ms: 700, passage: 1 + random.below(5) })
  // It may be gone already; then somebody else's fault was quicker.
  const isArmed = await broker()
    .arm(fault)
    .then(() => true)
    .catch(() => false)
  return `replica ${String(number)}: ${isArmed ? fault : 'gone'}`
}

const DATABASE: What = async ({ world }, _replica, random) => {
  const ms = random.below(3000)
  await world.postgres.stop()
  await pause(ms)
  await world.postgres.start()
  return `the database was away for ${String(ms)} ms`
}
