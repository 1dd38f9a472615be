/** Ends what is over: expired, stopped, given back, left behind by a crash; and goes on until it is confirmed. */
import { releaseClaims, targetsDue, tellLeases } from './claiming.ts'
import { atMost } from './deadline.ts'
import { reconcile } from './reconcile.ts'
import { createResting } from './resting.ts'
import { type SweepOptions, sweepTarget } from './sweep-target.ts'

const TICK_MS = 1000
/** What nobody asked for is to be gone within a minute: two looks, ten seconds each at most, for one may fail. */
const RECONCILE_MS = 25_000
const STOP_MS = 8000

export interface Sweeper {
  /**
   * Ends what is due, and says how many leases it ended for good.
   *
   * @param now in place of the database's time, for tests
   */
  sweepOnce(now?: Date): Promise<number>
  /** Ends the logins at one target that no live lease of ours names; their names. */
  reconcile(target: string): Promise<string[]>
  start(): void
  /** Begins nothing any more; waits for what runs, a while; what is left then, another may claim. */
  stop(): Promise<void>
  /** There is something to do now: somebody was stopped. */
  poke(): void
}

export function createSweeper(options: SweepOptions): Sweeper {
  const { tenant, pool, targets, trouble } = options
  const sweeping = new Map<string, Promise<number>>()
  const state = { claims: new Set<string>(), resting: createResting() }
  const around: NodeJS.Timeout[] = []
  let isStarted = false
  const stopping = new AbortController()
  const tell = (error: unknown) => trouble?.(error)

  /** Begins with every target that has something due and is not being swept. */
  async function begin(now?: Date): Promise<Promise<number>[]> {
    if ((await isMoreToTell(options)) && isStarted) look.run()
    return (await targetsDue(pool, tenant, now))
      .filter((target) => !sweeping.has(target) && !stopping.signal.aborted)
      .map((target) => {
        const sweep = { target, ...state, signal: stopping.signal, now }
        const swept = sweepTarget(options, sweep).finally(() => sweeping.delete(target))
        sweeping.set(target, swept)
        return swept
      })
  }

  const look = oneAtATime(async () => {
    for (const swept of await begin()) swept.catch(tell)
  }, tell)

  function repeat(round: () => void, everyMs: number): void {
    around.push(setInterval(round, everyMs).unref())
    round()
  }

  return {
    async sweepOnce(now) {
      const ended = await Promise.all(await begin(now))
      return ended.reduce((sum, count) => sum + count, 0)
    },
    reconcile: (target) => reconcile(options, target),
    start() {
      if (isStarted) return
      isStarted = true
      repeat(look.run, TICK_MS)
      for (const target of targets.keys()) {
        repeat(
          oneAtATime(() => reconcile(options, target, stopping.signal), tell).run,
          RECONCILE_MS,
        )
      }
    },
    async stop() {
      isStarted = false
      stopping.abort()
      for (const timer of around.splice(0)) clearInterval(timer)
      await atMost(STOP_MS, [look.underWay(), ...sweeping.values()])
      await releaseClaims(pool, tenant, [...state.claims]).catch(tell)
    },
    poke() {
      if (isStarted) look.run()
    },
  }
}

/** Whether more leases are to be told of stops. Where they cannot be told, all others still end. */
async function isMoreToTell({ tenant, pool, trouble }: SweepOptions): Promise<boolean> {
  try {
    return !(await tellLeases(pool, tenant))
  } catch (error) {
    trouble?.(error)
    return false
  }
}

/** Asked while it is under way, it begins again afterwards. What goes wrong is told. */
function oneAtATime(work: () => Promise<unknown>, failed: (error: unknown) => void) {
  let running: Promise<void> | null = null
  let isAsked = false
  const run = () => {
    isAsked = true
    running ??= (async () => {
      while (isAsked) {
        isAsked = false
        await work().catch(failed)
      }
      running = null
    })()
  }
  return { run, underWay: () => running ?? Promise.resolve() }
}
