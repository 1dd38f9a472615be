/** One digest for one authority, however its constraints were listed: `authority_hash`. */
import type { Authority, ChainAuthority } from './authority.ts'
import { type Constraint, constraintType } from './constraint.ts'
import { type Digest, digestOf } from './digest.ts'
import type { JsonObject } from './json.ts'

/**
 * SHA-256 of the canonical form, the constraints sorted by key, then type. What may be handed on says how
 * deep.
 */
export function authorityHash(authority: Authority & Partial<ChainAuthority>): Digest {
  const { scopes, purpose, constraints, delMaxDepth } = authority
  const sorted = [...constraints].sort(
    (one, other) =>
      compare(one.key, other.key) || compare(constraintType(one), constraintType(other)),
  )
  return digestOf({
    ...{ scopes: [...scopes], purpose, constraints: sorted.map(members) },
    ...(delMaxDepth !== undefined && { del_max_depth: delMaxDepth }),
  })
}

const members = (constraint: Constraint) => ({ ...constraint }) as JsonObject
const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)
