/** Pure: what the rules in force say about one principal, and which of them say it. */
import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import type { Evaluator, Rule, Verdict } from '../domain/decision.ts'
import type { Asking } from './asking.ts'

/** The rules in force. cedar.ts makes one from the engine; a test makes one from a literal. */
export interface Policies {
  /**
   * One Cedar evaluation, validated against the schema, by every rule or by those that permit. Never
   * throws: a trap is a `failure`.
   */
  authorize(asking: Asking, by: 'all' | 'permits'): Judgement
  /** What the rule with this id is annotated with. */
  rule(id: string): Rule
  /** Every rule that this kind of principal can meet in this action. */
  rulesFor(asking: Asking): readonly Rule[]
}

/** Cedar's own answer, unless it says that compiled rules gave it. */
export type Judgement = AuthorizationAnswer & { readonly evaluator?: Evaluator }

export interface Opinion {
  readonly kind: 'allow' | 'ask' | 'no_permit' | 'forbid' | 'error'
  /** The rules that make it so. */
  readonly rules: readonly Rule[]
  /** Those that permit, or would once the gates are lifted. */
  readonly permits: readonly Rule[]
  readonly verdicts: readonly Verdict[]
  /** `compiled` when anything in it rests on compiled rules alone. */
  readonly evaluator: Evaluator
}

/**
 * Asks once, and of what only gates stopped once more, as if a person had said yes: `ask` is a denial
 * that a yes alone would lift. Everything that goes wrong on the way is an error, and no answer.
 */
export function opinionOn(
  policies: Policies,
  asked: (approved: boolean) => Asking,
  hop: number | null,
): Opinion {
  const asking = asked(false)
  const now = read(policies, asking, 'all')
  const met = { policies, asking, hop, now }
  if (now.decision === 'error') return opinion(met, 'error', now)
  if (now.decision === 'allow') return opinion(met, 'allow', now, now)
  if (now.rules.length === 0) return opinion(met, 'no_permit', now)

  if (now.rules.every((rule) => rule.asks !== null)) {
    const lifted = read(policies, asked(true), 'all')
    if (lifted.decision === 'error') return opinion(met, 'error', lifted)
    if (lifted.decision === 'allow') return opinion(met, 'ask', now, lifted)
    if (lifted.rules.length === 0) return opinion(met, 'no_permit', lifted)
  }
  // A denial names the forbids. Whether something would have permitted it is for the record.
  return opinion(met, 'forbid', now, read(policies, asking, 'permits'))
}

/** As if there were no permit among them: asked all the same, so that an answer takes its time. */
export function withoutPermits(policies: Policies): Policies {
  return {
    ...policies,
    authorize(asking, by) {
      const answer = policies.authorize(asking, by)
      if (answer.type === 'failure' || answer.response.decision === 'deny') return answer
      const diagnostics = { ...answer.response.diagnostics, reason: [] }
      return { ...answer, response: { ...answer.response, decision: 'deny', diagnostics } }
    },
  }
}

interface Met {
  readonly policies: Policies
  readonly asking: Asking
  readonly hop: number | null
  readonly now: Reading
}
interface Reading {
  readonly decision: 'allow' | 'deny' | 'error'
  readonly rules: readonly Rule[]
  readonly evaluator: Evaluator
}

/** What `made` it so, and what else was looked at for those that `permit`. */
function opinion(
  { policies, asking, hop, now }: Met,
  kind: Opinion['kind'],
  made: Reading,
  permitting: Reading | null = null,
): Opinion {
  const { rules } = made
  const permits = permitting?.rules ?? []
  const satisfied = new Set([...now.rules, ...permits].map(({ id }) => id))
  const failed = new Set(kind === 'error' ? rules.map(({ id }) => id) : [])
  const verdicts = policies.rulesFor(asking).map((rule): Verdict => {
    if (failed.has(rule.id)) return { rule, verdict: 'error', hop }
    return { rule, verdict: satisfied.has(rule.id) ? 'satisfied' : 'not_satisfied', hop }
  })
  const evaluator = compiledIfAny([now, made, ...(permitting ? [permitting] : [])])
  return { kind, rules, permits, verdicts, evaluator }
}

export function compiledIfAny(looked: readonly { readonly evaluator: Evaluator }[]): Evaluator {
  return looked.some(({ evaluator }) => evaluator === 'compiled') ? 'compiled' : 'cedar-wasm'
}

/** Cedar skips a policy that fails, a `forbid` too, and may then allow. Here that is no answer. */
function read(policies: Policies, asking: Asking, by: 'all' | 'permits'): Reading {
  const answer = policies.authorize(asking, by)
  const { evaluator = 'cedar-wasm' } = answer
  if (answer.type === 'failure') {
    return { decision: 'error', rules: policies.rulesFor(asking), evaluator }
  }
  const { decision, diagnostics } = answer.response
  // Cedar gives its reasons in another order each time: equal questions have equal answers here.
  const rulesOf = (ids: readonly string[]) => [...ids].sort().map((id) => policies.rule(id))
  const failed = rulesOf(diagnostics.errors.map(({ policyId }) => policyId))
  if (failed.length > 0) return { decision: 'error', rules: failed, evaluator }
  return { decision, rules: rulesOf(diagnostics.reason), evaluator }
}
