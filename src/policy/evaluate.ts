/** Pure: the answer to a question, and how it came about. Reads nothing but its arguments. */
import type { Asked } from '../domain/approval.ts'
import { admits } from '../domain/authority.ts'
import type { Answer, Decision, Rule, StoppedBy, Verdict } from '../domain/decision.ts'
import type { Principal } from '../domain/question.ts'
import { callAsked, likenessesOf, type Posed } from './asking.ts'
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
 * principal that was refused. Who claims a model is asked for without it too. A yes from a person
 * lifts the gates if it is a yes to exactly this, of all that is asked for now, and in time. A canary
 * is refused as a tool that no rule permits.
 */
export function evaluate(inForce: Policies, question: Posed, bindings: Bindings): Evaluation {
  const { isCanary } = question.call.tool
  const policies = isCanary ? withoutPermits(inForce) : inForce
  const asked = question.principals.map((principal) => {
    const [own, ...others] = likenessesOf(principal)
    const first = sideOf(policies, question, own)
    const without = others.map((one) => explained(sideOf(policies, question, one), first))
    return { principal, sides: [first, ...without], stricter: stricterOf(first, without) }
  })
  const sides = asked.flatMap((one) => one.sides)
  const record = {
    verdicts: asked.flatMap(({ stricter }): readonly Verdict[] => stricter.opinion.verdicts),
    principals: asked.map(({ principal, stricter }) => ({
      ...principal,
      answer: stricter.answer.kind,
    })),
    evaluator: compiledIfAny(sides.map(({ opinion }) => opinion)),
  }
  const final = strictest(question, sides, bindings)
  return { ...record, ...final, answer: isCanary ? marked(final.answer) : final.answer }
}

/** What nobody has handed down is asked for in error as well: that is no sign of anything. */
function marked(answer: Answer): Answer {
  if (answer.kind !== 'deny' && answer.kind !== 'none') return answer
  return answer.code === 'outside_authority' ? answer : { ...answer, isCanary: true }
}

interface Side {
  readonly opinion: Opinion
  readonly answer: Answer
}

function sideOf(policies: Policies, question: Posed, principal: Principal): Side {
  const asking = (approved: boolean) => callAsked(question, principal, approved)
  const opinion = opinionOn(policies, asking, principal.hop)
  return { opinion, answer: answerOf(question, principal, opinion) }
}

/** Why it is refused what its claim would have been allowed. */
function explained(without: Side, claimed: Side): Side {
  const { answer } = without
  if (answer.kind !== 'deny' || claimed.answer.kind !== 'allow') return without
  const detail = `${answer.detail}; a model that is claimed, and not attested, permits nothing`
  return { ...without, answer: { ...answer, detail } }
}

/** Of equals the first, which is as it was claimed. */
function stricterOf(first: Side, others: readonly Side[]): Side {
  const stricter = others.find(({ answer }) => RANK[answer.kind] > RANK[first.answer.kind])
  return stricter ?? first
}
const RANK = { allow: 0, ask: 1, deny: 2, none: 2 }

type Final = Pick<Evaluation, 'answer' | 'level' | 'approval'>

function strictest(question: Posed, sides: readonly Side[], bindings: Bindings): Final {
  const answers = sides.map(({ answer }) => answer)
  const refused =
    outside(question) ?? answers.find(({ kind }) => kind === 'deny' || kind === 'none')
  if (refused) return { answer: refused, level: null, approval: null }

  const asking = answers.filter((answer) => answer.kind === 'ask')
  const [first] = asking
  const allow: Answer = {
    kind: 'allow',
    rules: once(sides.flatMap(({ opinion }) => opinion.permits)),
  }
  if (first === undefined) return { answer: allow, level: 'L1', approval: null }

  // Everyone who is asked, at whichever hop, has to say yes: an approval lifts every gate or none.
  const rules = once(asking.flatMap((answer) => answer.rules))
  const asked = demandOf(rules)
  const yes = isLifted(question, asked, bindings) ? question.approval : null
  if (yes) return { answer: allow, level: asked.level, approval: yes.id }
  return { answer: { ...first, rules, asked }, level: asked.level, approval: null }
}

/** The agent at the end of the chain is refused what nobody has handed down to it. */
function outside({ authority, call, purpose, principals }: Posed): Answer | null {
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

function answerOf(question: Posed, principal: Principal, opinion: Opinion): Answer {
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

function isLifted({ approval, now }: Posed, asked: Asked, bindings: Bindings): boolean {
  return (
    approval !== null &&
    approval.bindingHash === bindings[asked.level] &&
    approval.approvedUntil.getTime() > now.getTime() &&
    asked.of.every((group) => approval.asked.of.includes(group))
  )
}

function once(rules: readonly Rule[]): Rule[] {
  return [...new Map(rules.map((rule) => [rule.id, rule])).values()]
}
