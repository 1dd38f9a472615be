/** The one file that calls Cedar to decide. After a trap nothing is decided until it is loaded anew. */
import { createRequire } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import type { Rule } from '../domain/decision.ts'
import type { Asking } from './asking.ts'
import { compile, type Sources } from './compile.ts'
import type { Policies } from './opinion.ts'
import { shadowed } from './shadow.ts'

// V8 of Node 22.23.3 has been seen to end a process (`unreachable code` in its deoptimizer) that called
// Cedar often enough for such calls to be inlined. A call costs the same without.
setFlagsFromString('--no-turbo-inline-js-wasm-calls')

/** A rule, and where it can matter. */
export interface VettedRule extends Rule {
  readonly file: string
  readonly principals: readonly string[]
  readonly actions: readonly string[]
}

/** Policies that were taken apart and validated elsewhere (vet.ts): nothing here parses a stranger's text. */
export interface Compiled {
  /** Id → text. */
  readonly policies: Readonly<Record<string, string>>
  readonly rules: readonly VettedRule[]
  readonly schema: string
  /** A rule looks through an agent to its sponsor, whose entity must then be there. */
  readonly looksAtSponsor: boolean
  /** What rules can be compiled from. */
  readonly sources?: Sources
}

export interface Engine {
  /** Puts a set in force. Throws, and leaves the old one there, when the engine does not take it. */
  use(set: Compiled): LivePolicies
  /** Whether a decision whose answer is known comes out right. False from a trap until it is mended. */
  isHealthy(): boolean
  /** False from a trap until it is mended: every answer until then is a failure. */
  isUsable(): boolean
  /** Loads Cedar anew, with the sets it had, if it has to be; whether it had. Throws if that fails. */
  mend(): boolean
}

export interface LivePolicies extends Policies {
  /** The same set, decided by Cedar whatever happens: what is made again is made by this. */
  readonly cedar: Policies
  /**
   * From now on compiled rules decide, with Cedar looking over their shoulder. Has to be shown first that
   * they agree (compare.ts). Throws `Unsupported` for a set that is left to Cedar.
   */
  quicken(alarm: (what: string) => void): void
}

let engines = 0
let shared = cedar

/** Preparsed sets are never freed, only replaced: each engine has two slots, used in turn. */
export function createEngine(): Engine {
  const name = `${String(engines++)}-`
  const engine: State = { name, slots: [null, null], instance: shared, isBroken: false }
  let inForce: Slot = 0
  start(engine)
  return {
    use(given) {
      if (engine.isBroken) renew(engine)
      const slot = inForce === 0 ? 1 : 0
      const set = { ...given } // Given twice, it is held twice.
      engine.slots[slot] = null
      loadBoth(engine, slot, set)
      engine.slots[slot] = set
      inForce = slot
      return livePolicies(engine, slot, set)
    },
    isHealthy() {
      const [yes, no] = [true, false].map((sings) => ask(engine, 'canary', canaryAsked(sings)))
      return decisionOf(yes) === 'allow' && decisionOf(no) === 'deny' && !engine.isBroken
    },
    isUsable: () => !engine.isBroken,
    mend() {
      if (!engine.isBroken) return false
      renew(engine)
      return true
    },
  }
}

type Slot = 0 | 1
interface State {
  readonly name: string
  readonly slots: [even: Compiled | null, odd: Compiled | null]
  instance: typeof cedar
  isBroken: boolean
}

function livePolicies(engine: State, slot: Slot, set: Compiled): LivePolicies {
  const byCedar = held(engine, slot, set, (asking, by) => ask(engine, `${slot}-${by}`, asking))
  let decide = byCedar
  return {
    ...policiesOf(set, (asking, by) => decide(asking, by)),
    cedar: policiesOf(set, byCedar),
    quicken(alarm) {
      if (set.sources === undefined) return
      const quick = compile(set.sources)
      decide = held(engine, slot, set, shadowed({ quick, cedar: byCedar, alarm }))
    },
  }
}

type Authorize = Policies['authorize']

/** Whoever still holds a set whose slot is gone must not be answered by another's rules. */
function held(engine: State, slot: Slot, set: Compiled, authorize: Authorize): Authorize {
  return (asking, by) => {
    if (engine.slots[slot] !== set) return failure('the set was replaced')
    if (engine.isBroken) return failure('the engine is broken')
    return authorize(shown(set, asking), by)
  }
}

/** Principal and tool, which is what rules look at, and the sponsor behind an agent if one looks. */
function shown({ looksAtSponsor }: Compiled, asking: Asking): Asking {
  if (looksAtSponsor || asking.entities.length <= 2) return asking
  return { ...asking, entities: asking.entities.slice(0, 2) }
}

function ask(engine: State, id: string, asking: Asking): AuthorizationAnswer {
  if (engine.isBroken) return failure('the engine is broken')
  const named = { preparsedPolicySetId: engine.name + id, preparsedSchemaName: engine.name + id }
  try {
    return engine.instance.statefulIsAuthorized({ ...asking, ...named, validateRequest: true })
  } catch {
    engine.isBroken = true
    return failure('the engine has failed')
  }
}

/** Another engine may have left the shared instance trapped. */
function start(engine: State): void {
  try {
    load(engine, 'canary', CANARY)
  } catch {
    renew(engine)
  }
}

function renew(engine: State): void {
  if (engine.instance === shared) shared = freshInstance()
  engine.instance = shared
  load(engine, 'canary', CANARY)
  for (const slot of [0, 1] as const) {
    const set = engine.slots[slot]
    if (set) loadBoth(engine, slot, set)
  }
}

function loadBoth(engine: State, slot: Slot, set: Compiled): void {
  load(engine, `${slot}-all`, set)
  load(engine, `${slot}-permits`, { ...set, policies: permitsOf(set) })
}

function load(engine: State, id: string, { policies, schema }: Texts): void {
  const { name, instance } = engine
  engine.isBroken = true // Unless it comes back from both.
  const parsed = instance.preparsePolicySet(name + id, { staticPolicies: { ...policies } })
  const read = instance.preparseSchema(name + id, schema)
  engine.isBroken = false
  if (parsed.type === 'failure' || read.type === 'failure') {
    throw new Error('the engine refused a set that was vetted')
  }
}
type Texts = Pick<Compiled, 'policies' | 'schema'>

/** The module is instantiated when it is loaded, once: to have another, it is forgotten and loaded. */
function freshInstance(): typeof cedar {
  const require = createRequire(import.meta.url)
  const path = require.resolve('@cedar-policy/cedar-wasm/nodejs')
  Reflect.deleteProperty(require.cache, path)
  return require(path) as typeof cedar
}

function policiesOf(set: Compiled, authorize: Policies['authorize']): Policies {
  const rules = new Map(set.rules.map((rule) => [rule.id, rule]))
  const byPlace = new Map<string, readonly Rule[]>()
  return {
    authorize,
    rule(id) {
      const rule = rules.get(id)
      if (rule === undefined) throw new TypeError('a rule that is not of this set')
      return rule
    },
    rulesFor({ principal, action }) {
      const place = `${principal.type} ${action.id}`
      const known = byPlace.get(place)
      if (known) return known
      const met = set.rules.filter(
        ({ principals, actions }) =>
          principals.includes(principal.type) && actions.includes(action.id),
      )
      byPlace.set(place, met)
      return met
    },
  }
}

function permitsOf({ rules, policies }: Compiled): Record<string, string> {
  const permits = rules.filter(({ effect }) => effect === 'permit')
  return Object.fromEntries(permits.map(({ id }) => [id, policies[id] ?? '']))
}

function failure(message: string): AuthorizationAnswer {
  const error = { message, help: null, code: null, url: null, severity: null }
  return { type: 'failure', errors: [error], warnings: [] }
}

const decisionOf = (answer: AuthorizationAnswer | undefined) =>
  answer?.type === 'success' ? answer.response.decision : 'failure'

const CANARY = {
  schema:
    'entity Bird; action "sing" appliesTo { principal: [Bird], resource: [Bird], context: { sings: Bool } };',
  policies: { canary: 'permit (principal, action, resource) when { context.sings };' },
}
const canaryAsked = (sings: boolean): Asking => ({
  principal: { type: 'Bird', id: 'canary' },
  action: { type: 'Action', id: 'sing' },
  resource: { type: 'Bird', id: 'canary' },
  context: { sings },
  entities: [],
})
