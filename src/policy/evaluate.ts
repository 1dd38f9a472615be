/** Pure: the answer to a question, and how it came about. Reads nothing but its arguments. */
import type { Asked } from '../domain/approval.ts'
import { admits } from '../domain/authority.ts'
import type { Answer, Decision, Rule, StoppedBy, Verdict } from '../domain/decision.ts'
import type { Principal, Question } from '../domain/question.ts'
import { callAsked } from './asking.ts'
import { compiledIfAny, type Opinion, opinionOn, type Policies, withoutPermits } from './opinion.ts'

export type Evaluation = Pick<
  Decision,
  'answer' | 'level' | 'approval' | 'verdicts' | 'principals' | 'evaluator'
>
/** What a yes to this very call is bound to, at each level. */
export type Bindings = Readonly<Record<'L2' | 'L3', string>>

/**
 * Answers one question. What was handed down is looked at first; then every principal of the chain is
 * asked for, the sponsor first. A no beats an ask, an ask beats an allow, and a no names the first
 * principal that was refused. A yes from a person lifts the gates if it is a yes to exactly this, of
 * all that is asked for now, and in time. A canary is refused as a tool that no rule permits.
 */
export function evaluate(inForce: Policies, question: Question, bindings: Bindings): Evaluation {
  const { isCanary } = question.call.tool
  const policies = isCanary ? withoutPermits(inForce) : inForce
  const opinions = question.principals.map((principal) => ({
    principal,
    opinion: opinionOn(
      policies,
      (approved) => callAsked(question, principal, approved),
      principal.hop,
    ),
  }))
  const answers = opinions.map(({ principal, opinion }) => answerOf(question, principal, opinion))
  const record = {
    verdicts: opinions.flatMap(({ opinion }): readonly Verdict[] => opinion.verdicts),
    principals: question.principals.map((principal, at) => ({
      ...principal,
      answer: answers[at]?.kind ?? 'none',
    })),
    evaluator: compiledIfAny(opinions.map(({ opinion }) => opinion)),
  }
  const final = strictest(question, opinions.map(permitsOf), answers, bindings)
  return { ...record, ...final, answer: isCanary ? marked(final.answer) : final.answer }
}

/** What nobody has handed down is asked for in error as well: that is no sign of anything. */
function marked(answer: Answer): Answer {
  if (answer.kind !== 'deny' && answer.kind !== 'none') return answer
  return answer.code === 'outside_authority' ? answer : { ...answer, isCanary: true }
}

type Final = Pick<Evaluation, 'answer' | 'level' | 'approval'>

function strictest(
  question: Question,
  permits: readonly (readonly Rule[])[],
  answers: readonly Answer[],
  bindings: Bindings,
): Final {
  const refused =
    outside(question) ?? answers.find(({ kind }) => kind === 'deny' || kind === 'none')
  if (refused) return { answer: refused, level: null, approval: null }

  const asking = answers.filter((answer) => answer.kind === 'ask')
  const [first] = asking
  const allow: Answer = { kind: 'allow', rules: once(permits.flat()) }
  if (first === undefined) return { answer: allow, level: 'L1', approval: null }

  // Everyone who is asked, at whichever hop, has to say yes: an approval lifts every gate or none.
  const rules = once(asking.flatMap((answer) => answer.rules))
  const asked = demandOf(rules)
  const yes = isLifted(question, asked, bindings) ? question.approval : null
  if (yes) return { answer: allow, level: asked.level, approval: yes.id }
  return { answer: { ...first, rules, asked }, level: asked.level, approval: null }
}

/** The agent at the end of the chain is refused what nobody has handed down to it. */
function outside({ authority, call, purpose, principals }: Question): Answer | null {
  const found = admits(authority, call, purpose)
  if (found === null) return null
  const leaf = principals.at(-1) ?? principals[0]
  return {
    kind: 'deny',
    code: 'outside_authority',
    rules: [],
    stoppedBy: stoppedBy(leaf),
    ...found,
  }
}

function answerOf(question: Question, principal: Principal, opinion: Opinion): Answer {
  const { kind, rules } = opinion
  const stopped = { rules, stoppedBy: stoppedBy(principal) }
  switch (kind) {
    case 'allow':
      return { kind, rules }
    case 'ask':
      return { kind, ...stopped, asked: demandOf(rules) }
    case 'error':
      return { kind: 'none', code: 'policy_error', ...stopped, input: 'policy' }
    case 'no_permit': {
      const detail = `no rule permits ${question.call.tool.name} ${at(principal)}`
      return { kind: 'deny', code: 'access_denied', reason: kind, ...stopped, detail }
    }
    case 'forbid': {
      const detail = forbidden(rules, principal)
      return { kind: 'deny', code: 'access_denied', reason: kind, ...stopped, detail }
    }
  }
}

/** `forbid 'payroll-is-closed' applied at hop 0: no agent reads payroll`. */
export function forbidden(rules: readonly Rule[], principal: Principal): string {
  const [rule] = [...rules].sort(
    (one, other) => Number(one.asks !== null) - Number(other.asks !== null),
  )
  return `forbid '${rule?.id ?? ''}' applied ${at(principal)}: ${rule?.says ?? ''}`
}

export function at({ hop }: Principal): string {
  return hop === null ? 'for the sponsor' : `at hop ${String(hop)}`
}

export function stoppedBy({ hop, kind, id }: Principal): StoppedBy {
  return { hop, kind, id }
}

/** What several gates ask for, together: somebody of each group, the stricter way, the sooner end. */
export function demandOf(gates: readonly Rule[]): Asked {
  return {
    rules: gates.map(({ id }) => id),
    of: [...new Set(gates.flatMap(({ asks }) => (asks === null ? [] : [asks])))],
    level: gates.some(({ how }) => how === 'passkey') ? 'L3' : 'L2',
    withinSeconds: Math.min(...gates.map(({ withinSeconds }) => withinSeconds)),
  }
}

function isLifted({ approval, now }: Question, asked: Asked, bindings: Bindings): boolean {
  return (
    approval !== null &&
    approval.bindingHash === bindings[asked.level] &&
    approval.approvedUntil.getTime() > now.getTime() &&
    asked.of.every((group) => approval.asked.of.includes(group))
  )
}

const permitsOf = ({ opinion }: { opinion: Opinion }) => opinion.permits

function once(rules: readonly Rule[]): Rule[] {
  return [...new Map(rules.map((rule) => [rule.id, rule])).values()]
}
