/** Rules without an engine: who they apply to is a literal. For what decides upon what rules say. */
import type { Yes } from '../../src/domain/approval.ts'
import type { Chain } from '../../src/domain/chain.ts'
import type { Rule } from '../../src/domain/decision.ts'
import type { Judgement, Policies } from '../../src/policy/opinion.ts'
import { aSettled, IDS, NOW } from '../fakes/settled.ts'

export const rule = (id: string, of: Partial<Rule> = {}): Rule => ({
  ...{ id, effect: 'forbid', says: `says ${id}`, asks: null, how: 'session', withinSeconds: 600 },
  ...of,
})
const RULES = [
  rule('may', { effect: 'permit' }),
  rule('also-may', { effect: 'permit' }),
  rule('never'),
  rule('ask-dba', { asks: 'dba' }),
  rule('ask-lead', { asks: 'lead', how: 'passkey', withinSeconds: 60 }),
]

export type Applying = Readonly<Partial<Record<'Sponsor' | 'Agent', readonly string[]>>>

/** Forbids beat permits, a yes lifts gates; `trap` is an engine that fails. */
export function simplePolicies(applying: Applying): Policies {
  const ruleOf = (id: string) => RULES.find((one) => one.id === id) ?? rule(id)
  return {
    rule: ruleOf,
    rulesFor: () => RULES,
    authorize({ principal, context }, by): Judgement {
      const ids = applying[principal.type as 'Sponsor' | 'Agent'] ?? []
      if (ids.includes('trap')) return { type: 'failure', errors: [], warnings: [] }
      const met = ids.map(ruleOf)
      const stopping = met.filter(
        ({ effect, asks }) =>
          effect === 'forbid' && (asks === null || context['approved'] !== true),
      )
      const forbids = by === 'permits' ? [] : stopping
      const permits = met.filter(({ effect }) => effect === 'permit')
      const [decision, reason] =
        forbids.length > 0 || permits.length === 0
          ? (['deny', forbids] as const)
          : (['allow', permits] as const)
      const diagnostics = { reason: reason.map(({ id }) => id), errors: [] }
      return { type: 'success', response: { decision, diagnostics }, warnings: [] }
    },
  }
}

export const { chain, call } = aSettled('allow').decision
/** The same chain, with another agent below the first. */
export const deeper: Chain = {
  ...chain,
  hops: [chain.hops[0], { ...chain.hops[0], depth: 1, agent: 'agt_leaf' }],
}

/** Until a second from now, to what `bindingHash` says. */
export const aYes = (of: Partial<Yes> = {}): Yes => ({
  ...{ id: IDS.approval, bindingHash: 'binding-2', approvedUntil: new Date(NOW.getTime() + 1000) },
  asked: { rules: [], of: ['dba', 'lead'], level: 'L2', withinSeconds: 600 },
  ...of,
})
