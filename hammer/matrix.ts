/** Runs cells of the matrix: a fault falls into load, callers persist, and then everything must hold. */
import { setTimeout as pause } from 'node:timers/promises'
import { burst } from './burst.ts'
import { type Cell, faultOf, nameOf } from './cells.ts'
import { type Finding } from './invariants/finding.ts'
import type { BrokerProcess } from './process.ts'
import { randomOf } from './random.ts'
import { setStage, type Stage, untilCalm } from './stage.ts'

/** Bursts that a point has to be passed in; with a second's wait, for what the sweeper and the signer pass. */
const BURSTS_MAX = 6
const BURST_MS = 15_000
/** For the others of a burst; whoever is still without an answer then is waited for at the end. */
const GRACE_MS = 1500
/** A process stands still for longer than a statement of its may take, and for less than a lease. */
const STOP_MS = 9000

export interface Ran {
  readonly cell: Cell
  readonly ms: number
  readonly violations: readonly string[]
}

export interface Group {
  readonly ran: readonly Ran[]
  readonly restarts: number
  /** How long it took until nothing that was over was alive. */
  readonly calmMs: number
  readonly final: readonly Finding[]
  /** What the last look found, and no cell before. */
  readonly late: readonly string[]
}

export interface Grouping {
  readonly processes: number
  readonly tell: (ran: Ran) => void
  /** Called before the world goes. */
  readonly keep?: (stage: Stage) => Promise<void>
  /** Waits until decisions that nobody redeemed were given up. */
  readonly isPatient?: boolean
}

/** Cells that share one world, in their order; then the calm, and all invariants. */
export async function runGroup(
  cells: readonly Cell[],
  { processes, tell, keep, isPatient = true }: Grouping,
): Promise<Group> {
  const stage = await setStage(processes)
  try {
    const ran: Ran[] = []
    const waiting = new Set<Promise<void>>()
    for (const cell of cells) {
      const done = await runCell(stage, cell, waiting)
      ran.push(done)
      tell(done)
      if (ran.length % 100 === 0) await stage.renew()
    }
    await Promise.all(waiting)
    const calmMs = await untilCalm(stage, isPatient)
    await burst(stage.cast, stage.runs(), randomOf(0))
    await untilCalm(stage, isPatient)
    const { findings: final, fresh: late } = await stage.check('calm')
    await keep?.(stage)
    return { ran, restarts: stage.supervisor.restarts(), calmMs, final, late }
  } finally {
    await stage.stop()
  }
}

/**
 * Callers of what was left unfinished persist for half a minute: they go on while the next cells run, and
 * are in `waiting` until they have their answer.
 */
async function runCell(stage: Stage, cell: Cell, waiting: Set<Promise<void>>): Promise<Ran> {
  const since = performance.now()
  const { cast, supervisor, world } = stage
  const replica = world.replicas[cell.replica]
  if (replica === undefined) throw new RangeError('there is no such replica')
  await supervisor.settled()
  const victim = replica.broker()
  await victim.arm(faultOf(cell))
  stage.note('fault', nameOf(cell))
  const resume = cell.kind === 'stop' ? resumeOnceStruck(victim) : null
  for (let tries = 0; tries < BURSTS_MAX && !victim.hasStruck(); tries += 1) {
    const load = burst(cast, stage.runs(), cell.random)
    waiting.add(load)
    const over = load.finally(() => waiting.delete(load))
    await Promise.race([over, struckAWhileAgo(victim)])
    if (!victim.hasStruck()) await pause(1000)
  }
  await resume?.()
  const hasStruck = await disarm(victim)
  await supervisor.settled()
  const { fresh } = await stage.check('always')
  const unfired = hasStruck ? [] : [`${cell.point} was never passed`]
  return { cell, ms: performance.now() - since, violations: [...unfired, ...fresh] }
}

/** Whether it has struck, once it cannot any more. One that is dying of it does not answer. */
async function disarm(victim: BrokerProcess): Promise<boolean> {
  const hasStruck = victim.hasStruck()
  if (!victim.isAlive()) return hasStruck
  try {
    await victim.arm('')
    return hasStruck
  } catch (error) {
    if (await isGone(victim)) return true
    throw error
  }
}

const isGone = (victim: BrokerProcess) =>
  Promise.race([victim.ended.then(() => true), pause(GRACE_MS, false)])

async function struckAWhileAgo(victim: { hasStruck: () => boolean }): Promise<void> {
  const end = performance.now() + BURST_MS
  while (!victim.hasStruck() && performance.now() < end) await pause(20)
  await pause(GRACE_MS)
}

/** Lets it go on after a while; the function returned waits for that, or gives up waiting. */
function resumeOnceStruck(victim: {
  hasStruck: () => boolean
  signal(name: NodeJS.Signals): void
}) {
  const over = new AbortController()
  const done = (async () => {
    while (!victim.hasStruck() && !over.signal.aborted) await pause(20)
    if (!victim.hasStruck()) return
    await pause(STOP_MS)
    victim.signal('SIGCONT')
  })()
  return async () => {
    over.abort()
    await done
  }
}
