/** Ends what is over: expired, stopped, given back, left behind by a crash; and goes on until it is confirmed. */
import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { EndReason } from '../domain/lease.ts'
import type { Meter } from '../domain/meter.ts'
import type { Ledger } from '../domain/ports.ts'
import { bySystem } from '../domain/request.ts'
import { type Claimed, claimDue, releaseClaims, targetsDue, tellLeases } from './claiming.ts'
import { PartlyRevoked } from './connector.ts'
import { atMost, within } from './deadline.ts'
import { conclude, type Ending, FINAL, putOff } from './endings.ts'
import { reconcile } from './reconcile.ts'
import type { Targets } from './targets.ts'

/** At one target at a time; a target that hangs holds up no other. */
const LANES = 8
/** Less than a claim lasts. */
const REVOKE_MS = 5000
const ROUNDS_MAX = 100

const TICK_MS = 1000
const RECONCILE_MS = 60_000
const STOP_MS = 8000
const BACK_OFF_MS = { first: 500, most: 20_000 }

export interface SweepOptions {
  readonly tenant: string
  readonly pool: Pool
  /** The reaper's. */
  readonly ledger: Ledger
  readonly targets: Targets
  readonly meter?: Meter
  readonly trouble?: (error: unknown) => void
}

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
  const claims = new Set<string>()
  const around: NodeJS.Timeout[] = []
  let isStarted = false
  const stopping = new AbortController()
  const tell = (error: unknown) => trouble?.(error)

  /** Begins with every target that has something due and is not being swept. */
  async function begin(now?: Date): Promise<Promise<number>[]> {
    await tellLeases(pool, tenant)
    return (await targetsDue(pool, tenant, now))
      .filter((target) => !sweeping.has(target) && !stopping.signal.aborted)
      .map((target) => {
        const sweep = { target, claims, signal: stopping.signal, now }
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
      if (claims.size > 0) await releaseClaims(pool, tenant, [...claims]).catch(tell)
    },
    poke() {
      if (isStarted) look.run()
    },
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

interface Sweep {
  readonly target: string
  /** Those that are being worked on. */
  readonly claims: Set<string>
  readonly signal: AbortSignal
  readonly now: Date | undefined
}

async function sweepTarget(options: SweepOptions, sweep: Sweep): Promise<number> {
  const { tenant, pool } = options
  const { target, claims, signal, now } = sweep
  let ended = 0
  for (let round = 0; round < ROUNDS_MAX && !signal.aborted; round += 1) {
    const claim = randomUUID()
    claims.add(claim)
    try {
      const due = await claimDue(pool, { tenant, target, claim, limit: LANES, now })
      const outcomes = await Promise.all(due.map((lease) => endOne(options, lease, now)))
      ended += outcomes.filter(Boolean).length
      if (due.length < LANES) break
    } finally {
      claims.delete(claim)
    }
  }
  return ended
}

/** First at its target, outside any transaction; then on record. Whoever lost the claim writes nothing. */
async function endOne(options: SweepOptions, due: Claimed, now?: Date): Promise<boolean> {
  const { tenant, pool, ledger, targets, meter } = options
  const { intent, reason, state, claim, stop, attempts } = due
  const target = targets.get(intent.target)
  const from = [state]
  try {
    if (target === undefined) throw new Error(`There is no target ${intent.target}`)
    const { found } = await within(REVOKE_MS, (signal) =>
      target.revoke(intent.downstreamName, signal),
    )
    const isEnforced = target.connector.spending === 'enforced'
    const act = bySystem('sweep')
    const conclusion = { intent, reason, from, claim, act, found, isEnforced, stop, attempts }
    if ((await conclude({ tenant, ledger }, conclusion)) === null) return false
    meter?.count('procura_credentials_ended_total', { reason: endedAs(reason) })
    return true
  } catch (error) {
    options.trouble?.(error)
    const how = error instanceof PartlyRevoked ? 'partly' : 'unconfirmed'
    meter?.count('procura_revoke_retries_total', { how })
    const delayMs = backOff(attempts)
    const later = { lease: intent.lease, reason, from, claim, delayMs, now }
    // Not even that: the claim runs out, and it is due again.
    await putOff(pool, tenant, later).catch((failed: unknown) => options.trouble?.(failed))
    return false
  }
}

const endedAs = (reason: Ending): EndReason | 'failed' =>
  FINAL[reason] === 'failed' ? 'failed' : (reason as EndReason)

/** Doubles, up to 20 seconds, with as much chance in it as certainty; never ends. */
function backOff(attempts: number): number {
  const longest = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.min(attempts, 10))
  return Math.round(longest * (0.5 + Math.random() / 2))
}
