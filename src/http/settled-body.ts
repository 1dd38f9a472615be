/** What a decision came to, for those who may look into it: /v1/explain, and AuthZEN's context. */
import type { Answer, Decision, Settled } from '../domain/decision.ts'
import { PROBLEMS } from '../domain/problems.ts'
import { ruleBody } from './bodies.ts'
import { evaluationBody } from './problem.ts'

export function explainBody({ decision }: Settled) {
  const { answer, level, principals, verdicts, call } = decision
  return {
    ...{ decision_id: decision.id, answer: answer.kind, would_be: wouldBe(answer), level },
    principals: principals.map(({ hop, kind, id, answer: own }) => ({
      ...{ hop, kind, id, answer: own },
    })),
    rules: verdicts.map(({ rule, verdict, hop }) => {
      const { id, effect, annotations } = ruleBody(rule)
      return { id, effect, verdict, hop, annotations }
    }),
    authority: authorityBody(decision),
    ...{ facts: call.facts, args_hash: call.argsHash, budgets: budgetsOf(decision) },
    ...{ ttl_seconds: decision.ttlSeconds, purpose: decision.purpose },
    ...{ detail: detailOf(answer), stopped_by: stoppedByOf(answer) },
    evaluation: evaluationOf(answer),
    ...{ policy_set_hash: decision.policySetHash, schema_hash: decision.schemaHash },
    ...{ facts_hash: call.factsHash, context_hash: decision.contextHash },
  }
}

/** The status and code that POST /v1/credentials would answer with. */
export function wouldBe(answer: Answer): { status: number; code: string | null } {
  switch (answer.kind) {
    case 'allow':
      return { status: 201, code: null }
    case 'ask':
      return { status: 202, code: 'approval_pending' }
    case 'deny':
    case 'none':
      return { status: PROBLEMS[answer.code][0], code: answer.code }
  }
}

export function evaluationOf(answer: Answer) {
  return answer.kind === 'none'
    ? evaluationBody({ status: 'not_evaluated', unavailableInput: answer.input })
    : evaluationBody({ status: 'evaluated', unavailableInput: null })
}

export function stoppedByOf(answer: Answer) {
  if (answer.kind === 'allow') return undefined
  const { hop, kind, id } = answer.stoppedBy
  return { hop, kind, id }
}

const detailOf = (answer: Answer) => (answer.kind === 'deny' ? answer.detail : undefined)

function authorityBody({ answer, chain }: Decision) {
  const { scopes, constraints } = chain.effective
  const outcome = answer.kind === 'deny' ? (answer.outcome ?? 'valid') : 'valid'
  const field = answer.kind === 'deny' ? answer.field : undefined
  return { outcome, field, scopes, constraints }
}

/** Each account that an allow would have spent from; or the one that was too short. */
function budgetsOf({ answer, debits, chain }: Decision) {
  if (answer.kind === 'deny' && answer.budget) {
    const { account, key, type, limit, used, asked } = answer.budget
    return [{ account, key, type, limit, used, would_use: asked }]
  }
  const { id, uses, terms } = chain.consent
  return debits.map(({ account, key, type, amount }) => {
    const isCalls = account === id && key === 'calls'
    const known = isCalls ? { limit: terms.maxUses, used: uses } : {}
    return { account, key, type, ...known, would_use: amount }
  })
}
