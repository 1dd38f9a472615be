/** On whose behalf: the consent, then each hop. Depth 0 is the consenting agent itself. */
import type { Model } from './agent.ts'
import type { Authority } from './authority.ts'
import { authorityOf, type Consent } from './consent.ts'
import type { AgentId, InstanceId } from './ids.ts'
import type { ProvenInstance } from './instance.ts'

export interface Hop {
  readonly depth: number
  readonly agent: AgentId
  /** `null` with the next: a gateway asks about an agent, and no run of it is here to prove anything. */
  readonly instance: InstanceId | null
  readonly jkt: string | null
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
  /** `jti` of the acting session, whose own bounds have accounts of their own. */
  readonly session: string | null
}

/** The chain of an agent that acts by itself, straight under its consent. */
export function chainAtDepthZero(standing: Standing, instance: ProvenInstance): Chain {
  const { session, jkt } = instance
  const hop = {
    depth: 0,
    agent: session.agent,
    instance: session.instance,
    jkt,
    purpose: session.authority.purpose,
    expiresAt: session.expiresAt,
    model: session.model,
  }
  return {
    ...standing,
    hops: [hop],
    effective: session.authority,
    session: session.jti,
  }
}

/** The same chain as somebody else asks about it: whoever is asked for, nobody has proven to be. */
export function chainAskedAbout(standing: Standing): Chain {
  const { terms } = standing.consent
  const hop = {
    depth: 0,
    agent: terms.agent,
    instance: null,
    jkt: null,
    purpose: terms.purpose,
    expiresAt: terms.expiresAt,
    model: null,
  }
  return {
    ...standing,
    hops: [hop],
    effective: authorityOf(terms),
    session: null,
  }
}

/** The hop that acts. */
export function leafOf(chain: Chain): Hop {
  return chain.hops.at(-1) ?? chain.hops[0]
}
