/** The verifier's own rules for an entry after all that came before it. Keeps what is still open. */
import { type Known, notOnRecord, takeUp } from './verify-chain.ts'
import { at } from './verify-entry.ts'
import { Wrong } from './verify-findings.ts'

/** Checks the entry at this index against those before it. Throws `Wrong`. */
export type Replay = (record: unknown, index: number) => void

interface State {
  /** Sponsors, by consent. */
  readonly consents: Map<string, unknown>
  /** Roots and hops. */
  readonly hops: Known
  /** Ids that a revocation named. */
  readonly stopped: Set<string>
  /** Scopes that are frozen: ids, tools, and everything by its own name. */
  readonly frozen: Set<string>
  /** Allowed, and neither issued nor failed yet. */
  readonly allowed: Map<string, Allowed>
  readonly approvals: Map<string, Approval>
  readonly spent: Map<string, number>
  recordedAt: string
}
interface Allowed {
  /** What the issuance has to repeat. */
  readonly call: string
  readonly ttlSeconds: unknown
  readonly approval: string | null
}
interface Approval {
  readonly binding: unknown
  readonly consent: unknown
  readonly needed: unknown
  readonly approvers: Set<unknown>
  status: unknown
  until: string
}

export function newReplay(): Replay {
  const state: State = {
    consents: new Map(),
    hops: new Map(),
    stopped: new Set(),
    frozen: new Set(),
    allowed: new Map(),
    approvals: new Map(),
    spent: new Map(),
    recordedAt: '',
  }
  return (record, index) => {
    try {
      follow(state, record)
    } catch (error) {
      if (error instanceof Broken) throw new Wrong(error.rule, error.message, index)
      throw error
    }
  }
}

function follow(state: State, record: unknown): void {
  const recordedAt = textAt(record, 'recorded_at')
  const isInOrder = recordedAt >= state.recordedAt || at(record, 'clock_regressed') === true
  demand(isInOrder, 'time', 'the clock went back, and the entry does not say so')
  state.recordedAt = recordedAt
  RULES[textAt(record, 'event_type')]?.(state, record)
  spend(state, record)
}

/** Types without a row have no bearing on others. */
const RULES: Readonly<Record<string, (state: State, record: unknown) => void>> = {
  consent_granted(state, record) {
    const id = textAt(record, 'consent_id')
    demand(!state.consents.has(id), 'consent', 'the consent was granted before')
    state.consents.set(id, at(record, 'sponsor_id'))
  },
  session_issued(state, record) {
    demandStanding(state, record)
    demand(!state.frozen.has('everything'), 'frozen', 'everything was frozen')
  },
  root_issued: handed,
  delegation_registered: handed,
  decision: decided,
  issuance: issued,
  issuance_failed: failed,
  approval_requested: asked,
  approval_decided: answered,
  revocation(state, record) {
    state.stopped.add(textAt(record, 'remediation.target.id'))
  },
  freeze(state, record) {
    const scope = at(record, 'remediation.target.id') ?? at(record, 'remediation.target.kind')
    if (at(record, 'remediation.outcome') === 'lifted') state.frozen.delete(String(scope))
    else state.frozen.add(String(scope))
  },
  agent_retired(state, record) {
    state.stopped.add(textAt(record, 'change.name'))
  },
}

/** The consent was granted, by this sponsor, and nobody on the path was stopped since. */
function demandStanding(state: State, record: unknown): void {
  demandConsent(state, record)
  const isToken = ['root_issued', 'delegation_registered'].includes(textAt(record, 'event_type'))
  const strange = isToken ? null : notOnRecord(state.hops, record)
  demand(strange === null, 'chain', strange ?? '')
  const hops = at(record, 'chain.hops')
  const path = Array.isArray(hops) ? (hops as unknown[]) : []
  const ids = [
    ...PARTIES.map((place) => at(record, place)),
    ...path.flatMap((hop) => HOP.map((place) => at(hop, place))),
  ]
  const isStanding = !ids.some((id) => typeof id === 'string' && state.stopped.has(id))
  demand(isStanding, 'revoked', 'what it rests on was revoked before')
}

const PARTIES = [
  ...['sponsor_id', 'consent_id', 'actor.id', 'actor.instance_id', 'actor.credential_hash'],
  ...['chain.leaf', 'chain.delegation_id', 'credential.id'],
]
const HOP = ['client_id', 'instance_id', 'delegation_id', 'token_hash']

/** The same, and nothing that covers it was frozen then. */
function demandFree(state: State, record: unknown): void {
  demandStanding(state, record)
  const hops = at(record, 'chain.hops')
  const path = Array.isArray(hops) ? (hops as unknown[]) : []
  const scopes = [
    ...['everything', at(record, 'sponsor_id'), at(record, 'actor.id'), at(record, 'call.tool')],
    ...path.map((hop) => at(hop, 'client_id')),
  ]
  const isFree = !scopes.some((scope) => typeof scope === 'string' && state.frozen.has(scope))
  demand(isFree, 'frozen', 'what it goes through, or its tool, was frozen')
}

function handed(state: State, record: unknown): void {
  demandFree(state, record)
  const wrong = takeUp(state.hops, record)
  demand(wrong === null, 'chain', wrong ?? '')
}

function demandConsent(state: State, record: unknown): void {
  const id = textAt(record, 'consent_id')
  demand(state.consents.has(id), 'consent', 'no consent before it has this id')
  const isSponsors = state.consents.get(id) === at(record, 'sponsor_id')
  demand(isSponsors, 'consent', 'the consent is of another sponsor')
}

function decided(state: State, record: unknown): void {
  const answer = textAt(record, 'decision.answer')
  const isNone = at(record, 'evaluation.status') === 'not_evaluated'
  demand(ANSWERS.includes(answer), 'decision', 'the answer is none that there is')
  demand((answer === 'none') === isNone, 'evaluation', 'denied is not the same as not evaluated')
  const isGiven = answer === 'allow' || answer === 'ask'
  if (isGiven || at(record, 'consent_id') !== null) demandConsent(state, record)
  if (answer !== 'allow') return

  demandFree(state, record)
  const yes = unusedYes(state, record)
  // A gateway asks what the answer would be: nothing is used up, and nothing can be issued on it.
  if (at(record, 'face') === 'authzen') return
  const id = textAt(record, 'decision.id')
  demand(!state.allowed.has(id), 'decision', 'another decision has this id')
  const [call, ttlSeconds] = [callOf(record), at(record, 'call.ttl_seconds')]
  state.allowed.set(id, { call, ttlSeconds, approval: yes?.id ?? null })
  if (yes) yes.approval.status = 'used'
}

const ANSWERS = ['allow', 'ask', 'deny', 'none']

/** The approval that an allow rests on. Above L1 there has to be one. */
function unusedYes(state: State, record: unknown): { id: string; approval: Approval } | null {
  const id = at(record, 'approval.id')
  if (typeof id !== 'string') {
    const level = at(record, 'decision.level')
    demand(level !== 'L2' && level !== 'L3', 'approval', 'a person had to say yes, and none did')
    return null
  }
  const approval = state.approvals.get(id)
  demand(approval?.status === 'approved', 'approval', 'there is no unused yes to this')
  const isBound = approval.binding === at(record, 'approval.binding_hash')
  const isOfConsent = approval.consent === at(record, 'consent_id')
  demand(isBound && isOfConsent, 'approval', 'the yes was to something else')
  demand(textAt(record, 'recorded_at') <= approval.until, 'approval', 'the yes came to its end')
  return { id, approval }
}

function issued(state: State, record: unknown): void {
  demandFree(state, record)
  const id = textAt(record, 'credential.decision_id')
  const allowed = state.allowed.get(id)
  demand(allowed !== undefined, 'decision', 'no unused allow before it has this id')
  demand(allowed.call === callOf(record), 'decision', 'what was allowed is something else')
  const isShort = Number(at(record, 'credential.ttl_seconds')) <= Number(allowed.ttlSeconds)
  demand(isShort, 'decision', 'the credential lives longer than was allowed')
  state.allowed.delete(id)
}

/** Nothing was issued, and nothing can be: the yes may be used again. */
function failed(state: State, record: unknown): void {
  const id = textAt(record, 'credential.decision_id')
  const approval = state.approvals.get(state.allowed.get(id)?.approval ?? '')
  if (approval) approval.status = 'approved'
  state.allowed.delete(id)
}

function asked(state: State, record: unknown): void {
  demandConsent(state, record)
  const id = textAt(record, 'approval.id')
  demand(!state.approvals.has(id), 'approval', 'the approval was opened before')
  state.approvals.set(id, {
    binding: at(record, 'approval.binding_hash'),
    consent: at(record, 'consent_id'),
    needed: at(record, 'approval.quorum.needed'),
    approvers: new Set(),
    status: 'pending',
    until: '',
  })
}

/** A final state stays; a yes counts once for each person. */
function answered(state: State, record: unknown): void {
  const approval = state.approvals.get(textAt(record, 'approval.id'))
  demand(approval !== undefined, 'approval', 'nobody had asked for this approval')
  const isBound = approval.binding === at(record, 'approval.binding_hash')
  demand(isBound, 'approval', 'the answer is to something else')
  const status = at(record, 'approval.status')
  if (at(record, 'approval.decision') === 'approve') {
    approval.approvers.add(textAt(record, 'approval.approver_id'))
  }
  if (approval.status === status || approval.status === 'used') return
  if (status === 'approved') {
    const isEnough = approval.approvers.size >= Number(approval.needed)
    demand(approval.status === 'pending' && isEnough, 'approval', 'it was not for them to approve')
    approval.until = textAt(record, 'approval.approved_until')
  }
  approval.status = status
}

/** Debits come with an allow, refunds with what was not used; the sums are as each entry says. */
function spend(state: State, record: unknown): void {
  const budgets = at(record, 'budgets')
  if (budgets === undefined) return
  demand(Array.isArray(budgets), 'budget', 'the budgets are no list')
  const isAllow = at(record, 'decision.answer') === 'allow'
  for (const budget of budgets as unknown[]) {
    const account = ['account', 'key', 'type'].map((place) => textAt(budget, place)).join(' ')
    const debited = Number(at(budget, 'debited'))
    const used = (state.spent.get(account) ?? 0) + debited
    demand(isAllow ? debited >= 0 : debited <= 0, 'budget', 'only an allow debits')
    demand(used === at(budget, 'used_after'), 'budget', 'the sum is not that of the debits')
    const isWithin = used >= 0 && used <= Number(at(budget, 'limit'))
    demand(isWithin, 'budget', 'more was spent than there was')
    state.spent.set(account, used)
  }
}

/** What a decision and its issuance have to have in common. */
function callOf(record: unknown): string {
  return JSON.stringify(CALL.map((place) => at(record, place) ?? null))
}

const CALL = [
  'sponsor_id',
  'consent_id',
  'call.tool',
  'call.tool_hash',
  'call.target',
  'call.args_hash',
  'call.args_commit',
  'call.request_hash',
  'chain.leaf',
]

class Broken extends Error {
  readonly rule: string
  constructor(rule: string, message: string) {
    super(message)
    this.rule = rule
  }
}

function demand(holds: boolean, rule: string, message: string): asserts holds {
  if (!holds) throw new Broken(rule, message)
}

function textAt(record: unknown, place: string): string {
  const value = at(record, place)
  demand(typeof value === 'string', 'members', `${place} is not a text`)
  return value
}
