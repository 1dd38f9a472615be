/** A world with a cast in it, its journal, and what has been seen of its ledger: what every run stands on. */
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Runs, startRuns } from './burst.ts'
import { createCalls } from './calls.ts'
import { type Cast, gatherCast } from './cast.ts'
import { check, violationsIn } from './checking.ts'
import type { Finding } from './invariants/finding.ts'
import { halfDone } from './invariants/lives.ts'
import { BLANK, createJournal, type Journal, type Op } from './journal.ts'
import { type Leaf, look, type Snapshot } from './snapshot.ts'
import { type Supervisor, supervise } from './supervisor.ts'
import { startWorld, witnessOf, type World } from './world.ts'

export interface Stage {
  readonly world: World
  readonly cast: Cast
  readonly journal: Journal
  readonly supervisor: Supervisor
  /** Consents for so many uses each: renewed as they are used up. */
  runs(): Runs
  renew(): Promise<void>
  note(op: Extract<Op, 'fault' | 'calm' | 'healed'>, text: string): void
  look(): Promise<Snapshot>
  /** Violations that were not told before. */
  check(when: 'always' | 'calm'): Promise<{ findings: Finding[]; fresh: string[] }>
  stop(): Promise<void>
}

export async function setStage(processes: number): Promise<Stage> {
  const world = await startWorld(processes)
  const journal = createJournal(join(world.folder, 'journal.jsonl'))
  const note: Stage['note'] = (op, code) => {
    journal.write({ ...BLANK, op, code, at: Date.now(), answeredAt: Date.now() })
  }
  const supervisor = supervise(world, (text) => {
    note('fault', text)
  })
  try {
    let isOver = false
    const call = createCalls(journal, { isOver: () => isOver })
    const cast = await gatherCast(world, call)
    let runs = await startRuns(cast)
    let known: readonly Leaf[] = []
    const told = new Set<string>()
    const seen = async () => {
      const snapshot = await look({ ...lookingAt(world), journal: [...journal.lines], known })
      known = snapshot.leaves
      return snapshot
    }
    return {
      ...{ world, cast, journal, supervisor, note, runs: () => runs, look: seen },
      async renew() {
        runs = await startRuns(cast)
      },
      async check(when) {
        const findings = check(await seen(), when)
        const fresh = violationsIn(findings).filter((text) => !told.has(text))
        for (const text of fresh) told.add(text)
        return { findings, fresh }
      },
      async stop() {
        isOver = true
        supervisor.leave()
        await world.stop()
      },
    }
  } catch (error) {
    supervisor.leave()
    await world.stop()
    throw error
  }
}

/** Where somebody outside finds all there is to see. */
export const lookingAt = ({ databaseUrl, targetUrl, folder, replicas, logFiles }: World) => ({
  ...{ databaseUrl, targetUrl, logFiles: logFiles() },
  witnessFiles: replicas.map(({ number }) => witnessOf(folder, number)),
})

const LIVE = ['minting', 'revoke_pending', 'active']
/**
 * Half a minute until a lease that nobody finished is taken for left behind, and some for its end;
 * seventy seconds until a decision that nobody redeemed is given up.
 */
const CALM_MS = 130_000

/**
 * Waits until nothing is on its way and nothing that is over is alive. Says how long that took.
 *
 * @param isPatient also for decisions that nobody redeemed
 */
export async function untilCalm(stage: Stage, isPatient = true): Promise<number> {
  const since = performance.now()
  stage.note('calm', 'nothing is disturbed from here on')
  for (;;) {
    const seen = await stage.look()
    const { credentials, logins, leaves, checkpoints } = seen
    const busy = credentials.filter(({ state }) => LIVE.includes(state))
    const live = new Set(busy.map((row) => row.downstream_name))
    const isSwept = busy.length === 0 && logins.every((name) => live.has(name))
    const isSigned = (checkpoints.at(-1)?.size ?? 0) === leaves.length
    const took = performance.now() - since
    const isRedeemed = !isPatient || halfDone(seen).length === 0
    if ((isSwept && isSigned && isRedeemed) || took > CALM_MS) {
      stage.note('healed', isSwept ? 'nothing that is over is alive' : 'it took too long')
      return took
    }
    await pause(500)
  }
}
