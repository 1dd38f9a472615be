/** The one file that calls Cedar to decide. A trap is a failure, and the engine is not trusted again. */
import { setFlagsFromString } from 'node:v8'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import type { Rule } from '../domain/decision.ts'
import type { Asking } from './asking.ts'
import type { Policies } from './opinion.ts'

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
}

export interface Engine {
  /** Puts a set in force. Throws, and leaves the old one there, when the engine does not take it. */
  use(set: Compiled): Policies
  /** Whether a decision whose answer is known comes out right. Once false, it stays false. */
  isHealthy(): boolean
}

let engines = 0

/** Preparsed sets are never freed, only replaced: each engine has two slots, used in turn. */
export function createEngine(): Engine {
  const slot = `${String(engines++)}-`
  const owners: [even: number, odd: number] = [0, 0]
  let inForce = 0
  let made = 0
  let isBroken = false

  function guarded(call: () => AuthorizationAnswer): AuthorizationAnswer {
    if (isBroken) return failure('the engine is broken')
    try {
      return call()
    } catch {
      isBroken = true
      return failure('the engine has failed')
    }
  }

  preparse(`${slot}canary`, CANARY)
  return {
    use(set) {
      const spare = inForce === 0 ? 1 : 0
      const id = `${slot}live-${spare === 0 ? 'a' : 'b'}`
      const mine = ++made
      owners[spare] = mine
      preparse(id, set)
      preparse(`${id}-permits`, { ...set, policies: permitsOf(set) })
      inForce = spare
      return policiesOf(set, (asking, by) => {
        // Whoever still holds a set whose slot is gone must not be answered by another's rules.
        if (owners[spare] !== mine) return failure('the set was replaced')
        return guarded(() => ask(by === 'all' ? id : `${id}-permits`, asking, set.looksAtSponsor))
      })
    },
    isHealthy() {
      const [yes, no] = [true, false].map((sings) =>
        guarded(() => ask(`${slot}canary`, canaryAsked(sings), false)),
      )
      return decisionOf(yes) === 'allow' && decisionOf(no) === 'deny' && !isBroken
    },
  }
}

function ask(id: string, asking: Asking, looksAtSponsor: boolean): AuthorizationAnswer {
  return cedar.statefulIsAuthorized({
    ...asking,
    entities: looksAtSponsor ? asking.entities : asking.entities.slice(0, 2),
    preparsedPolicySetId: id,
    preparsedSchemaName: id,
    validateRequest: true,
  })
}

function preparse(id: string, { policies, schema }: Pick<Compiled, 'policies' | 'schema'>): void {
  const parsed = cedar.preparsePolicySet(id, { staticPolicies: { ...policies } })
  const named = cedar.preparseSchema(id, schema)
  if (parsed.type === 'failure' || named.type === 'failure') {
    throw new Error('the engine refused a set that was vetted')
  }
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
