/** What a consent, session or hop allows, and the one comparison that holds for all of them. */

export interface Authority {
  /** Tool names, or `a.b.*`. */
  readonly scopes: readonly string[]
  readonly purpose: string
  readonly constraints: readonly Constraint[]
}

type Scalar = string | number | boolean
interface On {
  /** `args.a.b`, `facts.x`, `tool#args.a`, `crm.*#facts.x`, `calls`, `ttl_seconds`. */
  readonly key: string
}
/** One bound, of exactly one type. `(key, type)` is unique in an authority. */
export type Constraint =
  | (On & { readonly eq: Scalar })
  | (On & { readonly one_of: readonly Scalar[] })
  | (On & { readonly not_one_of: readonly Scalar[] })
  | (On & { readonly prefix: string })
  | (On & { readonly min: number })
  | (On & { readonly max: number })
  | (On & { readonly subset_of: readonly Scalar[] })
  | (On & { readonly max_length: number })
  | (On & { readonly rank: string; readonly order: readonly string[] })
  | (On & { readonly max_lifetime: number })
  | (On & { readonly max_subtree: number })

export const CONSTRAINT_TYPES = [
  'eq',
  'one_of',
  'not_one_of',
  'prefix',
  'min',
  'max',
  'subset_of',
  'max_length',
  'rank',
  'max_lifetime',
  'max_subtree',
] as const
export type ConstraintType = (typeof CONSTRAINT_TYPES)[number]

/** The type member of a constraint. */
export function constraintType(constraint: Constraint): ConstraintType {
  const type = CONSTRAINT_TYPES.find((name) => name in constraint)
  if (type === undefined) throw new TypeError('a constraint without a type')
  return type
}

/** `key,type`: what is unique in an authority, and how `field` names a constraint. */
export function constraintKey(constraint: Constraint): string {
  return `${constraint.key},${constraintType(constraint)}`
}
