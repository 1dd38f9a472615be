/** Who keeps a running total: one account for each place that states one. */
import type { Authority } from './authority.ts'
import { type Constraint, constraintKey, isAsTight, isCumulative } from './constraint.ts'

/** `id`: a consent, a root's or a session's `jti`, a delegation. */
export interface Account {
  readonly id: string
  readonly bounds: readonly Constraint[]
}

/** The running totals of an authority that what it rests on does not already keep. */
export function tighterTotals(authority: Authority, above: Authority): readonly Constraint[] {
  const kept = new Map(above.constraints.map((bound) => [constraintKey(bound), bound]))
  return authority.constraints.filter((bound) => {
    const same = kept.get(constraintKey(bound))
    return isCumulative(bound) && !(same !== undefined && isAsTight(same, bound))
  })
}

/** What acts below add to as well; a lifetime is that of the one token which states or inherits it. */
export function ofSubtree(bounds: readonly Constraint[]): readonly Constraint[] {
  return bounds.filter((bound) => 'max_subtree' in bound)
}

export function ofLifetime(bounds: readonly Constraint[]): readonly Constraint[] {
  return bounds.filter((bound) => 'max_lifetime' in bound)
}
