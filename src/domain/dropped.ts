/** What a hop has less of than what it rests on: that which narrowing is for, made plain. */
import type { Authority, ChainAuthority } from './authority.ts'
import {
  type Constraint,
  constraintKey,
  type ConstraintType,
  constraintType,
} from './constraint.ts'
import type { Json } from './json.ts'
import { covers } from './scope.ts'

export interface Dropped {
  /** Scopes of the one above that are not there any more, or not in full. */
  readonly scopes: readonly string[]
  /** The wider purpose; `null` where it is the same. */
  readonly purpose: string | null
  readonly constraints: readonly Tightened[]
  /** How many hops fewer may follow than would have followed anyway. */
  readonly hops: number
}

export interface Tightened {
  readonly key: string
  readonly type: ConstraintType
  /** `null`: there was no such bound. */
  readonly was: Json
  readonly is: Json
}

/** @param above what was held; @param below what is left of it, as `narrow` has it */
export function droppedBetween(
  above: Authority & Partial<ChainAuthority>,
  below: Authority & Partial<ChainAuthority>,
): Dropped {
  const before = new Map(above.constraints.map((bound) => [constraintKey(bound), bound]))
  const constraints = below.constraints.flatMap((bound): Tightened[] => {
    const was = before.get(constraintKey(bound))
    const [old, now] = [was ? boundOf(was) : null, boundOf(bound)]
    if (JSON.stringify(old) === JSON.stringify(now)) return []
    return [{ key: bound.key, type: constraintType(bound), was: old, is: now }]
  })
  return {
    scopes: above.scopes.filter((scope) => !below.scopes.some((kept) => covers(kept, scope))),
    purpose: above.purpose === below.purpose ? null : above.purpose,
    constraints,
    hops: (above.delMaxDepth ?? 0) - (below.delMaxDepth ?? above.delMaxDepth ?? 0),
  }
}

/** What the type member holds. */
export function boundOf(constraint: Constraint): Json {
  return (constraint as unknown as Record<string, Json>)[constraintType(constraint)] ?? null
}
