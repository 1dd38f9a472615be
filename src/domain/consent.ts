/** What a sponsor allowed an agent: for what, how long, how often, how deep. */
import type { Authority } from './authority.ts'
import { type Constraint, constraintKey } from './constraint.ts'
import type { AgentId, ConsentId, PersonId } from './ids.ts'
import type { JsonObject } from './json.ts'

/** The terms as the sponsor was shown them; `terms_hash` is the digest of `termsBody`. */
export interface Terms {
  readonly agent: AgentId
  /** Tool names, or `a.b.*`. */
  readonly tools: readonly string[]
  readonly purpose: string
  readonly constraints: readonly Constraint[]
  readonly expiresAt: Date
  readonly maxUses: number
  readonly maxHops: number
  readonly delegates: 'same_sponsor' | readonly AgentId[]
  readonly maxTtlSeconds: number
}

export interface Consent {
  readonly id: ConsentId
  readonly sponsor: PersonId
  readonly terms: Terms
  readonly termsHash: string
  readonly status: 'active' | 'used_up' | 'expired' | 'withdrawn'
  readonly uses: number
  readonly createdAt: Date
}

/** The members that are hashed, signed and shown, named as on the wire. */
export function termsBody(terms: Terms): JsonObject {
  return {
    agent_id: terms.agent,
    tools: [...terms.tools],
    purpose: terms.purpose,
    constraints: terms.constraints.map((constraint) => ({
      ...constraint,
    })) as JsonObject[],
    expires_at: terms.expiresAt.toISOString(),
    max_uses: terms.maxUses,
    max_hops: terms.maxHops,
    delegates: terms.delegates === 'same_sponsor' ? 'same_sponsor' : [...terms.delegates],
    max_ttl_seconds: terms.maxTtlSeconds,
  }
}

/** As `termsBody` wrote them. */
interface TermsBody {
  readonly agent_id: AgentId
  readonly tools: string[]
  readonly purpose: string
  readonly constraints: Constraint[]
  readonly expires_at: string
  readonly max_uses: number
  readonly max_hops: number
  readonly delegates: Terms['delegates']
  readonly max_ttl_seconds: number
}

/** As they were written: our own row, or our own token. */
export function termsOf(column: JsonObject): Terms {
  const { tools, purpose, constraints, delegates, ...terms } = column as unknown as TermsBody
  return {
    ...{ agent: terms.agent_id, tools, purpose, constraints, delegates },
    ...{ expiresAt: new Date(terms.expires_at), maxUses: terms.max_uses },
    ...{ maxHops: terms.max_hops, maxTtlSeconds: terms.max_ttl_seconds },
  }
}

/** The authority that the terms amount to; sessions and hops only narrow it. */
export function authorityOf(terms: Terms): Authority {
  const bounds: Constraint[] = [
    { key: 'calls', max_subtree: terms.maxUses },
    { key: 'ttl_seconds', max: terms.maxTtlSeconds },
  ]
  // Where the constraints and the members state the same bound, the tighter one holds.
  const stated = new Map<string, Constraint>()
  for (const constraint of [...terms.constraints, ...bounds]) {
    const key = constraintKey(constraint)
    const before = stated.get(key)
    stated.set(key, before ? tighter(before, constraint) : constraint)
  }
  return {
    scopes: terms.tools,
    purpose: terms.purpose,
    constraints: [...stated.values()],
  }
}

function tighter(one: Constraint, other: Constraint): Constraint {
  if ('max' in one && 'max' in other) return one.max <= other.max ? one : other
  if ('max_subtree' in one && 'max_subtree' in other) {
    return one.max_subtree <= other.max_subtree ? one : other
  }
  return one
}
