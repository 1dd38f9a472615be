/** Ends what is over: expired, stopped, given back, left behind by a crash; and goes on until it is confirmed. */
import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { EndReason } from '../domain/lease.ts'
import type { Meter } from '../domain/meter.ts'
import type { Ledger } from '../domain/ports.ts'
import { bySystem } from '../domain/request.ts'
import { type Claimed, claimDue } from './claiming.ts'
import { PartlyRevoked } from './connector.ts'
import { within } from './deadline.ts'
import { conclude, type Ending, FINAL, putOff } from './endings.ts'
import { reconcile } from './reconcile.ts'
import type { Targets } from './targets.ts'

/** Claimed at once. With LANES at a time and REVOKE_MS each, done before the claim runs out. */
const BATCH = 32
const LANES = 8
const REVOKE_MS = 5000
const ROUNDS_MAX = 100

const TICK_MS = 1000
const RECONCILE_TICKS = 60
const BACK_OFF_MS = { first: 500, most: 30_000 }

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
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>
  /** There is something to do now: somebody was stopped. */
  poke(): void
}

export function createSweeper(options: SweepOptions): Sweeper {
  const { targets } = options
  let timer: NodeJS.Timeout | null = null
  let running: Promise<void> | null = null
  let isPoked = false
  let ticks = 0

  async function tick(): Promise<void> {
    ticks += 1
    isPoked = false
    await sweep(options)
    if (ticks % RECONCILE_TICKS !== 1) return
    for (const name of targets.keys()) {
      await reconcile(options, name).catch((error: unknown) => options.trouble?.(error))
    }
  }

  /** One at a time. What goes wrong is told, and tried again at the next tick. */
  function run(): void {
    isPoked = true
    running ??= tick()
      .catch((error: unknown) => options.trouble?.(error))
      .finally(() => {
        running = null
        if (isPoked && timer !== null) run()
      })
  }

  return {
    sweepOnce: (now) => sweep(options, now),
    reconcile: (target) => reconcile(options, target),
    start() {
      timer ??= setInterval(run, TICK_MS).unref()
      run()
    },
    async stop() {
      if (timer !== null) clearInterval(timer)
      timer = null
      await running
    },
    poke() {
      if (timer !== null) run()
    },
  }
}

async function sweep(options: SweepOptions, now?: Date): Promise<number> {
  const { tenant, pool } = options
  let ended = 0
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const claim = randomUUID()
    const due = await claimDue(pool, { tenant, claim, limit: BATCH, now })
    const queue = due[Symbol.iterator]()
    const lane = async () => {
      for (const lease of queue) if (await endOne(options, lease, now)) ended += 1
    }
    await Promise.all(Array.from({ length: LANES }, lane))
    if (due.length < BATCH) break
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

/** Doubles, up to half a minute, with as much chance in it as certainty; never ends. */
function backOff(attempts: number): number {
  const longest = Math.min(BACK_OFF_MS.most, BACK_OFF_MS.first * 2 ** Math.min(attempts, 10))
  return Math.round(longest * (0.5 + Math.random() / 2))
}
