/** F20: brokers that stand still in the middle of an issuance, for longer than all its deadlines, and then wake. */
import { setTimeout as pause } from 'node:timers/promises'
import { burst } from './burst.ts'
import { runChecker } from './final.ts'
import { randomOf } from './random.ts'
import { setStage, type Stage, untilCalm } from './stage.ts'

/** A lease that was opened, and nothing made; a credential that was made, and not recorded. */
const STOPS = ['FP5:stop:1', 'FP7:stop:1'] as const
const BURSTS_MAX = 8

/** @returns whether everything held */
export async function runZombies({ seconds }: { seconds: number }): Promise<boolean> {
  const stage = await setStage(STOPS.length + 1)
  try {
    const zombies = STOPS.map((_, at) => replicaOf(stage, at))
    await Promise.all(zombies.map((broker, at) => broker.arm(STOPS[at] ?? '')))
    stage.note('fault', STOPS.join())
    const load: Promise<void>[] = []
    for (let n = 0; n < BURSTS_MAX && !zombies.every((broker) => broker.hasStruck()); n += 1) {
      load.push(burst(stage.cast, stage.runs(), randomOf(n)))
      await pause(3000)
    }
    if (!zombies.every((broker) => broker.hasStruck())) throw new Error('a point was not passed')
    console.log(`standing still for ${String(seconds)} s`)
    await pause(seconds * 1000)

    const asleep = (await stage.look()).credentials
    for (const broker of zombies) broker.signal('SIGCONT')
    stage.note('fault', 'both go on')
    await Promise.all(load)
    await untilCalm(stage)
    const { fresh } = await stage.check('calm')
    const over = asleep.filter(({ state }) => state === 'failed')
    console.log(`${String(over.length)} leases were taken for left behind meanwhile`)
    for (const text of fresh) console.log(`✗ ${text}`)
    return (await runChecker(stage)) && fresh.length === 0 && over.length >= STOPS.length
  } finally {
    await stage.stop()
  }
}

function replicaOf({ world }: Stage, at: number) {
  const broker = world.replicas[at]?.broker()
  if (broker === undefined) throw new RangeError('there is no such replica')
  return broker
}
