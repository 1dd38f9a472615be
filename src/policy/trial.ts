/** Tries a set before it is in force: on a sample of every request it can meet, then on its cases. */
import type { Terms } from '../domain/consent.ts'
import type { AgentId, ApprovalId, PersonId } from '../domain/ids.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Principal } from '../domain/question.ts'
import type { ToolCall } from '../domain/tool.ts'
import {
  type Asking,
  callAsked,
  consentAsked,
  delegateAsked,
  type Handing,
  type Posed,
  sponsorOf,
} from './asking.ts'
import { readCall } from './call.ts'

import { type Case, difference, type Given, type Outcome } from './cases.ts'
import type { Catalogue, Declared } from './catalogue.ts'
import { consentAnswer } from './consenting.ts'
import { delegationRefused } from './delegating.ts'
import { evaluate } from './evaluate.ts'
import type { CedarType } from './facts/kinds.ts'
import type { Finding } from './findings.ts'
import type { Policies } from './opinion.ts'
import { isExternal, type Purposes } from './purposes.ts'

export interface Tried {
  readonly policies: Policies
  readonly catalogue: Catalogue
  readonly purposes: Purposes
}

const SPONSOR: PersonId = 'spn_sample'
const AGENT: AgentId = 'agt_sample'
const BINDINGS = { L2: 'L2', L3: 'L3' }

/** Evaluates every rule wherever it can be met: what fails here would fail on a request. */
export function trySamples({ policies, catalogue }: Tried): Finding[] {
  return [...catalogue.values()].flatMap((declared) =>
    samplesOf(declared).flatMap((asking) => faultsOf(policies, asking)),
  )
}

function faultsOf(policies: Policies, asking: Asking): Finding[] {
  const answer = policies.authorize(asking, 'all')
  const fix = 'Bound the numbers it adds, and name only what the schema has.'
  const fault = (rule: string | null, what: string): Finding => ({
    file: '(the set)',
    rule,
    what,
    fix,
  })
  if (answer.type === 'failure') {
    return answer.errors.map(({ message }) => fault(null, `${asking.action.id}: ${message}`))
  }
  return answer.response.diagnostics.errors.map(({ policyId, error }) =>
    fault(policyId, `${asking.action.id}: ${error.message}`),
  )
}

function samplesOf({ tool, shape }: Declared): Asking[] {
  const facts = Object.entries(shape).map(([name, type]) => [name, SAMPLE[type]])
  const call: ToolCall = {
    ...{ tool, arguments: {}, argsHash: '', factsHash: '', purpose: null, ttlSeconds: 60 },
    facts: Object.fromEntries(facts) as JsonObject,
  }
  const inside = questionFrom(call, { purpose: 'sample', groups: ['sample'] }, false)
  const questions = [inside, { ...inside, isExternal: true }]
  const calls = questions.flatMap((question) =>
    question.principals.flatMap((principal) =>
      EITHER.map((approved) => callAsked(question, principal, approved)),
    ),
  )
  const sponsor = sponsorOf(SPONSOR, ['sample'])
  const terms = termsFrom('sample', tool.name)
  const delegator = { kind: 'agent', hop: 0, id: AGENT, sponsor: SPONSOR, model: null } as const
  const handing = { delegator, delegate: AGENT, scopes: [tool.name], purpose: 'sample', depth: 1 }
  return [
    ...calls,
    ...EITHER.map((isExternal) => consentAsked(sponsor, tool, { terms, isExternal }, inside.now)),
    ...EITHER.map((isExternal) =>
      delegateAsked({ ...handing, isSameSponsor: true, isExternal }, tool, inside.now),
    ),
  ]
}

const EITHER = [false, true]

const SAMPLE: Readonly<Record<CedarType, Json>> = {
  String: 'sample',
  Long: 1,
  Bool: false,
  'Set<String>': ['sample'],
}

/** What a case comes to, and how that differs from what it expects. */
export function tryCase(
  tried: Tried,
  one: Case,
): { outcome: Outcome | null; wrong: string | null } {
  try {
    const outcome = outcomeOf(tried, one.given)
    return { outcome, wrong: difference(one, outcome) }
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    const places = error.shown.errors?.map(({ pointer, rule }) => `${pointer} ${rule}`) ?? []
    return { outcome: null, wrong: [error.code, ...places].join(' ') }
  }
}

function outcomeOf(tried: Tried, given: Given): Outcome {
  const { policies, catalogue, purposes } = tried
  if (given.consent) {
    const terms = { ...termsFrom(given.purpose, given.tool), ...boundsOf(given.consent) }
    const sponsor = sponsorOf(SPONSOR, given.groups)
    const answer = consentAnswer(tried, sponsor, terms, new Date(given.now))
    return { answer, level: null, facts: {} }
  }
  if (given.delegate) {
    const refused = delegationRefused(
      tried,
      handingFrom(given, given.delegate),
      new Date(given.now),
    )
    return { answer: refused ?? { kind: 'allow', rules: [] }, level: null, facts: {} }
  }
  const { tool, arguments: args, purpose, ttl_seconds: ttlSeconds } = given
  const call = readCall(catalogue, purposes, { tool, arguments: args, purpose, ttlSeconds })
  const question = questionFrom(call, given, isExternal(purposes, purpose))
  const { answer, level } = evaluate(policies, question, BINDINGS)
  if (answer.kind !== 'ask' || !given.approved) return { answer, level, facts: call.facts }

  // The yes that a case speaks of is a yes to whatever was asked for.
  const { asked } = answer
  const approvedUntil = new Date(question.now.getTime() + 60_000)
  const id: ApprovalId = 'apr_sample'
  const approval = { id, bindingHash: asked.level, asked, approvedUntil }
  const again = evaluate(policies, { ...question, approval }, BINDINGS)
  return { answer: again.answer, level: again.level, facts: call.facts }
}

/** Cases are about the rules: the sponsor has handed down everything. */
function questionFrom(
  call: ToolCall,
  given: Pick<Given, 'purpose' | 'groups'> & Partial<Given>,
  isExternal: boolean,
): Posed {
  const { purpose, groups, model = null, depth = 0, uses_left: usesLeft = 100 } = given
  const agents = Array.from({ length: depth + 1 }, (_, hop): Principal => ({
    ...{ kind: 'agent', hop, id: AGENT, sponsor: SPONSOR, model },
  }))
  return {
    principals: [sponsorOf(SPONSOR, groups), ...agents],
    authority: { scopes: [call.tool.name], purpose, constraints: [] },
    ...{ call, purpose, isExternal, depth, usesLeft },
    ttlSeconds: Math.min(call.ttlSeconds, call.tool.ttlSecondsMax),
    approval: null,
    now: new Date(given.now ?? '2026-11-23T10:00:00.000Z'),
  }
}

function handingFrom(
  { tool, purpose, model }: Given,
  { depth, same_sponsor: isSameSponsor, to }: NonNullable<Given['delegate']>,
): Handing {
  const who = { id: AGENT, sponsor: SPONSOR, model: model ?? null }
  return {
    delegator: { kind: 'agent', hop: depth - 1, ...who },
    ...{ delegate: to as AgentId, isSameSponsor, scopes: [tool], purpose, depth },
  }
}

function termsFrom(purpose: string, tool: string): Terms {
  return {
    ...{ agent: AGENT, tools: [tool], purpose, constraints: [], delegates: 'same_sponsor' },
    ...{ expiresAt: new Date(0), maxUses: 10, maxHops: 0, maxTtlSeconds: 300 },
  }
}

function boundsOf(consent: NonNullable<Given['consent']>) {
  const { max_uses: maxUses, max_hops: maxHops, max_ttl_seconds: maxTtlSeconds } = consent
  return { maxUses, maxHops, maxTtlSeconds }
}
