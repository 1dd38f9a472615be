/** On whose behalf: the consent, then each hop. Depth 0 is the consenting agent itself. */
import type { Model } from './agent.ts'
import { type Account, ofSubtree, tighterTotals } from './accounts.ts'
import type { Authority } from './authority.ts'
import { authorityOf, type Consent } from './consent.ts'
import type { AgentId, DelegationId, InstanceId } from './ids.ts'
import type { ProvenInstance } from './instance.ts'
import type { JsonObject } from './json.ts'

export interface Hop {
  readonly depth: number
  readonly agent: AgentId
  /** `null` where no run of the agent has shown itself: a gateway asks about it, or it only signed. */
  readonly instance: InstanceId | null
  /** `null` where a gateway asks. */
  readonly jkt: string | null
  /** Of the root or the hop; `null` where the consenting agent acts by itself, which takes neither. */
  readonly tokenHash: string | null
  /** `null` at depth 0. */
  readonly delegation: DelegationId | null
  readonly purpose: string
  readonly expiresAt: Date
  readonly model: Model | null
}

/** What a consent stands on at the moment it was read. */
export interface Standing {
  readonly consent: Consent
  /** The sponsor's groups, as their issuer last said. */
  readonly sponsorGroups: readonly string[]
  /** The database's time of reading: the `now` that rules see. */
  readonly readAt: Date
}

export interface Chain extends Standing {
  /** Root first; the last one acts. */
  readonly hops: readonly [Hop, ...Hop[]]
  /** What is left after every narrowing. */
  readonly effective: Authority
  /** Whose running totals an act adds to: the consent's first, then by depth, the session's last. */
  readonly accounts: readonly Account[]
  /** `jti` of the acting session; `null` where a gateway asks. */
  readonly session: string | null
}

/** Through whom, and how much is left of it: as much of a chain as goes on record. */
export type Path = Pick<Chain, 'hops' | 'effective'>

/** The hop that a session rests on, with all that stands above it, as registered. */
export interface Delegated extends Path {
  readonly id: DelegationId
  /** Below the consent's. */
  readonly accounts: readonly Account[]
}

const NO_TOKEN = { tokenHash: null, delegation: null } as const

/** The chain of whoever proved to call; `delegated` is `null` straight under a consent. */
export function chainOf(
  standing: Standing,
  delegated: Delegated | null,
  instance: ProvenInstance,
): Chain {
  if (delegated === null) return chainAtDepthZero(standing, instance)
  return chainUnder(standing, delegated, instance)
}

/** The chain of an agent that acts by itself, straight under its consent. */
export function chainAtDepthZero(standing: Standing, { session, jkt }: ProvenInstance): Chain {
  const granted = authorityOf(standing.consent.terms)
  const hop = {
    depth: 0,
    agent: session.agent,
    instance: session.instance,
    jkt,
    ...NO_TOKEN,
    purpose: session.authority.purpose,
    expiresAt: session.expiresAt,
    model: session.model,
  }
  return {
    ...standing,
    hops: [hop],
    effective: session.authority,
    accounts: [
      { id: standing.consent.id, bounds: granted.constraints },
      { id: session.jti, bounds: tighterTotals(session.authority, granted) },
    ],
    session: session.jti,
  }
}

/** The chain of a sub-agent: who acts is the last hop's, with what its own session says of it. */
function chainUnder(standing: Standing, delegated: Delegated, { session }: ProvenInstance): Chain {
  const { instance, model, authority, jti } = session
  const last = delegated.hops.length - 1
  const [root, ...below] = delegated.hops.map((hop, at) =>
    at === last ? { ...hop, instance, model } : hop,
  )
  if (root === undefined) throw new TypeError('a chain without a root')
  const own = { id: jti, bounds: tighterTotals(authority, delegated.effective) }
  return {
    ...standing,
    hops: [root, ...below],
    effective: authority,
    accounts: [consentAccount(standing), ...delegated.accounts, own],
    session: jti,
  }
}

/** The same chain as somebody else asks about it: whoever is asked for, nobody has proven to be. */
export function chainAskedAbout(standing: Standing, delegated: Delegated | null): Chain {
  if (delegated !== null) {
    const { hops, effective, accounts } = delegated
    const all = [consentAccount(standing), ...accounts]
    return { ...standing, hops, effective, accounts: all, session: null }
  }
  const { id, terms } = standing.consent
  const effective = authorityOf(terms)
  const hop = {
    depth: 0,
    agent: terms.agent,
    instance: null,
    jkt: null,
    ...NO_TOKEN,
    purpose: terms.purpose,
    expiresAt: terms.expiresAt,
    model: null,
  }
  const accounts = [{ id, bounds: effective.constraints }]
  return { ...standing, hops: [hop], effective, accounts, session: null }
}

/** As acts below the consenting agent add to it. */
function consentAccount({ consent }: Standing): Account {
  return { id: consent.id, bounds: ofSubtree(authorityOf(consent.terms).constraints) }
}

/** The hop that acts. */
export function leafOf(chain: Pick<Chain, 'hops'>): Hop {
  return chain.hops.at(-1) ?? chain.hops[0]
}

/** The `act` claim: who acts, and nested in it who delegated to them (RFC 8693 §4.1). It is history. */
export function actOf(hops: Chain['hops'], issuer: string): JsonObject {
  return hops.reduce<JsonObject>(
    (inner, { agent, depth }) => ({
      ...{ iss: issuer, sub: agent, sub_profile: 'ai_agent' },
      ...(depth > 0 && { act: inner }),
    }),
    {},
  )
}

/** The `chain` claim of what rests on a hop; at depth 0 there is no chain. */
export function chainClaim(chain: Pick<Chain, 'hops'>): JsonObject | null {
  const { depth, tokenHash, delegation } = leafOf(chain)
  return depth === 0 ? null : { depth, leaf: tokenHash, delegation_id: delegation }
}
