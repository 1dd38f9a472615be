/** Makes a decision again, from what it was made from. */
import type { Pool } from 'pg'
import type { JsonObject } from '../domain/json.ts'
import { createEngine, type Engine } from './cedar.ts'
import { type Evaluation, evaluate } from './evaluate.ts'
import type { Parse } from './facts/sql.ts'
import type { Policies } from './opinion.ts'
import { type InForce, prepareSet } from './policy-set.ts'
import { inputFrom } from './snapshot.ts'
import { setByHash } from './stored-sets.ts'

interface Replaying {
  readonly tenant: string
  readonly pool: Pool
  readonly parse: Parse
  current(): InForce | null
}
type Set = Pick<InForce, 'hash' | 'catalogue' | 'purposes'> & { readonly policies: Policies }

/** By Cedar, and the set that the snapshot names, loaded if it is not in force; the last one is kept. */
export function createReplay(replaying: Replaying): (snapshot: JsonObject) => Promise<Evaluation> {
  let engine: Engine | null = null
  let last: Set | null = null

  async function setOf(hash: string): Promise<Set> {
    const current = replaying.current()
    if (current?.hash === hash) return { ...current, policies: current.policies.cedar }
    if (last?.hash === hash) return last
    const stored = await setByHash(replaying.pool, replaying.tenant, hash)
    if (stored === null) throw new Error('the snapshot names a policy set that is not stored')
    const set = await prepareSet(stored.files, replaying.parse)
    if (set.hash !== hash) throw new Error('a stored set is not its hash')
    engine ??= createEngine() // Its own: what decides is not disturbed.
    last = { ...set, policies: engine.use(set.compiled).cedar }
    return last
  }

  return async (snapshot) => {
    engine?.mend()
    const { policy_set_hash: hash } = snapshot
    if (typeof hash !== 'string') throw new Error('not a snapshot')
    const set = await setOf(hash)
    const { question, bindings } = inputFrom(snapshot, set)
    return evaluate(set.policies, question, bindings)
  }
}
