/** Pure: a question in Cedar's terms. Only what was computed or looked up goes in, never an argument. */
import type { EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs'
import type { Terms } from '../domain/consent.ts'
import type { AgentId, PersonId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Principal, Question } from '../domain/question.ts'
import type { Tool } from '../domain/tool.ts'

/** One evaluation: two entities, and the sponsor's when a rule looks through an agent to its sponsor. */
export interface Asking {
  readonly principal: TypeAndId
  readonly action: TypeAndId
  readonly resource: TypeAndId
  readonly context: JsonObject
  readonly entities: EntityJson[]
}

/** What the vocabulary in force says of a purpose. */
export interface Triggered {
  readonly isExternal: boolean
}
export type Posed = Question & Triggered

export type Sponsor = Extract<Principal, { kind: 'sponsor' }>

/** May this principal of the chain make this call? `approved` is what only a person's yes makes true. */
export function callAsked(question: Posed, principal: Principal, approved: boolean): Asking {
  const { call, purpose, depth, ttlSeconds, usesLeft, now } = question
  const [sponsor] = question.principals
  return {
    principal: uidOf(principal),
    action: { type: 'Action', id: call.tool.name },
    resource: { type: 'Tool', id: call.tool.name },
    context: {
      ...{ purpose, external_trigger: question.isExternal, depth, approved },
      ...{ ttl_seconds: ttlSeconds, uses_left: usesLeft, now: now.toISOString() },
      sender_constraint: call.tool.senderConstraint,
      facts: call.facts,
    },
    entities: [
      principalEntity(principal),
      toolEntity(call.tool),
      ...(principal.kind === 'agent' && sponsor.kind === 'sponsor'
        ? [principalEntity(sponsor)]
        : []),
    ],
  }
}

/** May this sponsor consent that an agent uses this tool, on these terms? */
export function consentAsked(
  sponsor: Sponsor,
  tool: Tool,
  { terms, isExternal }: Triggered & { readonly terms: Terms },
  now: Date,
): Asking {
  return {
    principal: uidOf(sponsor),
    action: CONSENT,
    resource: { type: 'Tool', id: tool.name },
    context: {
      purpose: terms.purpose,
      external_trigger: isExternal,
      max_uses: terms.maxUses,
      max_hops: terms.maxHops,
      max_ttl_seconds: terms.maxTtlSeconds,
      now: now.toISOString(),
    },
    entities: [principalEntity(sponsor), toolEntity(tool)],
  }
}

/** One hop: what is handed on, for what, to whom. */
export interface Handing {
  readonly delegator: Extract<Principal, { kind: 'agent' }>
  readonly delegate: AgentId
  readonly isSameSponsor: boolean
  /** Tool names, or `a.b.*`. */
  readonly scopes: readonly string[]
  readonly purpose: string
  /** Of the hop that is made. */
  readonly depth: number
}

/** May this agent hand this tool on? */
export function delegateAsked(handing: Handing & Triggered, tool: Tool, now: Date): Asking {
  const { delegator, delegate, isSameSponsor, purpose, depth, isExternal } = handing
  return {
    principal: uidOf(delegator),
    action: { type: 'Action', id: 'delegate' },
    resource: { type: 'Tool', id: tool.name },
    context: {
      ...{ purpose, external_trigger: isExternal, depth },
      ...{ delegate, same_sponsor: isSameSponsor, now: now.toISOString() },
    },
    entities: [
      principalEntity(delegator),
      toolEntity(tool),
      principalEntity(sponsorOf(delegator.sponsor, [])),
    ],
  }
}

export const CONSENT: TypeAndId = { type: 'Action', id: 'consent' }

export function sponsorOf(id: PersonId, groups: readonly string[]): Sponsor {
  return { kind: 'sponsor', hop: null, id, groups }
}

/**
 * As whom it is asked for: an agent that claims a model, also as one of which no model is known. The
 * stricter answer holds, so that a claim can take away, and never give.
 */
export function likenessesOf<P extends Principal>(principal: P): readonly [P, ...P[]] {
  if (principal.kind !== 'agent' || principal.model?.basis !== 'claimed') return [principal]
  return [principal, { ...principal, model: null }]
}

function uidOf({ kind, id }: Principal): TypeAndId {
  return { type: kind === 'sponsor' ? 'Sponsor' : 'Agent', id }
}

function principalEntity(principal: Principal): EntityJson {
  const uid = uidOf(principal)
  if (principal.kind === 'sponsor') {
    return { uid, attrs: { groups: [...principal.groups] }, parents: [] }
  }
  const { sponsor, model } = principal
  const attrs = {
    sponsor: { type: 'Sponsor', id: sponsor },
    tier: model?.tier ?? 'unknown',
    tier_attested: model?.basis === 'attested',
  }
  return { uid, attrs, parents: [] }
}

function toolEntity({ name, risk, target, groups }: Tool): EntityJson {
  return {
    uid: { type: 'Tool', id: name },
    attrs: { risk: RISK[risk], target },
    parents: groups.map((group) => ({ type: 'ToolGroup', id: group })),
  }
}

const RISK = { low: 1, medium: 2, high: 3 }
