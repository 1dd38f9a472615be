/** Puts policy sets in force: at once or not at all, here and on every other replica. */
import type { Pool } from 'pg'
import { type Act, bySystem } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import type { Compiled, Engine, LivePolicies } from './cedar.ts'
import { compareWithCedar } from './compare.ts'
import type { Every } from './every.ts'
import type { Parse } from './facts/sql.ts'
import { policySetHash, type PolicyFiles } from './files.ts'
import { PolicySetRefused } from './findings.ts'
import { readFolder } from './folder.ts'
import { type InForce, type PolicySet, prepareSet } from './policy-set.ts'
import {
  epochInForce,
  newestSet,
  type Publication,
  type Published,
  putInForce,
} from './stored-sets.ts'

/** The front side's ledger, as far as it is needed here. */
export interface Records {
  record(
    key: null,
    work: (tx: Tx) => Promise<Published>,
  ): Promise<{ readonly value: Published['value'] }>
}

/** Who decides: rules compiled to functions where that is shown to be the same, or Cedar alone. */
export type PolicyEvaluator = 'compiled' | 'wasm'

/** Told of what went wrong where nobody waits for an answer. */
export type Report = (what: string, why: unknown) => void

export interface Publishing {
  readonly tenant: string
  /** May read policy sets and epochs. */
  readonly pool: Pool
  readonly ledger: Records
  readonly engine: Engine
  readonly parse: Parse
  readonly every: Every
  readonly report: Report
  readonly evaluator: PolicyEvaluator
  /** Compiled rules and Cedar have given different answers; where, and which rules. */
  readonly differing: (what: string) => void
}

export interface Publisher {
  readonly current: () => InForce | null
  /** A newer set is in force, and not here: this replica is not ready until it is. */
  readonly isBehind: () => boolean
  /** Epoch of the set, which is in force here when this resolves. Throws as `prepareSet`. */
  readonly publish: (files: PolicyFiles, by: Act) => Promise<number>
  /** Takes over what is in force in the database, now and whenever that changes. */
  readonly follow: () => Promise<() => void>
  /**
   * Publishes a folder, now and whenever its content changes. What is refused is reported; what changes
   * while it is checked waits for the next look.
   */
  readonly watchFolder: (folder: string) => Promise<() => void>
}

const FOLLOW_MS = 500 // Others refuse as stale for at most a second after a publication.
const FOLDER_MS = 500

export function createPublisher(publishing: Publishing): Publisher {
  const { tenant, pool, ledger, engine, parse } = publishing
  let inForce: InForce | null = null
  let known = 0 // The epoch that was in force in the database when it was last looked at.
  let comparing = new AbortController()
  const inTurn = oneAtATime()
  /** What is known may have come by the folder meanwhile. */
  const isBehind = () => known > (inForce?.epoch ?? 0)

  /** A set that is older than the one in force is never gone back to. */
  function adopt({ compiled, ...set }: PolicySet, epoch: number): void {
    if (inForce !== null && epoch <= inForce.epoch) return
    const policies = engine.use(compiled)
    inForce = { ...set, epoch, policies }
    comparing.abort()
    comparing = new AbortController()
    if (publishing.evaluator === 'wasm') return
    const made = { compiled, policies, signal: comparing.signal }
    quicken(publishing, made).catch((error: unknown) => {
      publishing.report('Cedar decides alone', error)
    })
  }

  async function put(publication: Publication): Promise<number> {
    const { value: epoch } = await ledger.record(null, (tx) => putInForce(tx, tenant, publication))
    if (epoch === null) throw new Superseded()
    adopt(publication.set, epoch)
    return epoch
  }

  async function catchUp(): Promise<void> {
    if (engine.mend()) publishing.report('Cedar had failed', new Error('it was loaded anew'))
    known = await epochInForce(pool, tenant)
    if (isBehind()) await inTurn(takeOver)
  }

  async function takeOver(): Promise<void> {
    if (!isBehind()) return
    const stored = await newestSet(pool, tenant)
    if (stored === null) return
    if (policySetHash(stored.files) !== stored.hash) throw new Error('a stored set is not its hash')
    adopt(await prepareSet(stored.files, parse), stored.epoch)
  }

  return {
    current: () => inForce,
    isBehind,
    publish: (files, act) => inTurn(async () => put({ set: await prepareSet(files, parse), act })),
    follow: () =>
      repeat(publishing, FOLLOW_MS, {
        what: 'the policy set in force could not be loaded',
        work: catchUp,
      }),
    watchFolder: (folder) =>
      repeat(publishing, FOLDER_MS, {
        what: 'the policies of the folder are not in force',
        work: folderWatch(folder, publishing, { put, inTurn, current: () => inForce }),
      }),
  }
}

type InTurn = <T>(vetting: () => Promise<T>) => Promise<T>

/** To vet takes all of a core for seconds, and often the next need not be any more. */
function oneAtATime(): InTurn {
  let last: Promise<unknown> = Promise.resolve()
  return (vetting) => {
    const turn = last.then(vetting)
    last = turn.catch(() => undefined) // Told to whoever waits for it.
    return turn
  }
}

/** Cedar decides at once; compiled rules do when it has been shown, beside it, that they are the same. */
async function quicken({ differing }: Publishing, made: Made): Promise<void> {
  const { compiled, policies, signal } = made
  const { why } = await compareWithCedar(compiled, signal)
  if (signal.aborted) return
  if (why !== null) throw new Error(why)
  policies.quicken(differing)
}

interface Made {
  readonly compiled: Compiled
  readonly policies: LivePolicies
  /** The set was replaced. */
  readonly signal: AbortSignal
}

/**
 * Publishes what the folder has become. What it no longer is once it was checked is let go, without a
 * word: a file may have been half written, and a `forbid` that is not there yet is a yes. What was refused
 * is not tried again until it changes; what could not be checked in time is, at each look: a machine may
 * be busy, and without a set nothing is decided. A replica that starts with an old folder does not put its
 * old set back in force for all of them. What is in force, here and in the database, was vetted when it
 * came.
 */
function folderWatch(
  folder: string,
  { tenant, pool, parse }: Publishing,
  { put, inTurn, current }: InTurns,
): () => Promise<void> {
  let seen: string | null = null

  async function takeIn(files: PolicyFiles, hash: string): Promise<void> {
    const set = current()
    if (set?.hash !== hash || set.epoch !== (await epochInForce(pool, tenant))) {
      const made = await prepareSet(files, parse).catch(refusal)
      if (policySetHash(await readFolder(folder)) !== hash) return
      try {
        if (made instanceof PolicySetRefused) throw made
        await put({ set: made, act: bySystem('policy-folder'), isFirst: seen === null })
      } catch (error) {
        if (error instanceof PolicySetRefused || error instanceof Superseded) seen = hash
        throw error
      }
    }
    seen = hash
  }

  return async () => {
    const files = await readFolder(folder)
    const hash = policySetHash(files)
    if (hash !== seen) await inTurn(() => takeIn(files, hash))
  }
}

class Superseded extends Error {
  override readonly name = 'Superseded'
  constructor() {
    super('the folder holds a set that was superseded; what is in force stays in force')
  }
}

function refusal(error: unknown): PolicySetRefused {
  if (error instanceof PolicySetRefused) return error
  throw error
}

interface InTurns {
  readonly inTurn: InTurn
  /** In force from then on, here and in the database; its epoch. */
  readonly put: (publication: Publication) => Promise<number>
  readonly current: Publisher['current']
}

/** Once now, then again and again. The same complaint is reported once. */
async function repeat(
  { every, report }: Publishing,
  ms: number,
  { what, work }: { what: string; work: () => Promise<void> },
): Promise<() => void> {
  let said = ''
  const attempt = async () => {
    try {
      await work()
      said = ''
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      if (why !== said) report(what, error)
      said = why
    }
  }
  await attempt()
  return every(ms, attempt)
}
