/** One bound on what a call may be: when a value meets it, and when another bound is as tight. */
import type { Json } from './json.ts'

export type Scalar = string | number | boolean
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

/** Whether a constraint bounds a running total, which only a debit can keep. */
export function isCumulative(constraint: Constraint): boolean {
  return 'max_lifetime' in constraint || 'max_subtree' in constraint
}

/**
 * Whether a value meets a bound. An absent value and one of another JSON type never do. Of a running
 * total it says only whether the value can be added at all.
 */
export function meets(constraint: Constraint, value: Json | undefined): boolean {
  if (value === undefined) return false
  if ('eq' in constraint) return value === constraint.eq
  if ('one_of' in constraint) return isIn(constraint.one_of, value)
  if ('not_one_of' in constraint) return isScalar(value) && !isIn(constraint.not_one_of, value)
  if ('prefix' in constraint) {
    return typeof value === 'string' && value.startsWith(constraint.prefix) && isClean(value)
  }
  if ('min' in constraint) return typeof value === 'number' && value >= constraint.min
  if ('max' in constraint) return typeof value === 'number' && value <= constraint.max
  if ('subset_of' in constraint) {
    return Array.isArray(value) && value.every((item) => isIn(constraint.subset_of, item))
  }
  if ('max_length' in constraint) return lengthOf(value) <= constraint.max_length
  if ('rank' in constraint) {
    const at = typeof value === 'string' ? constraint.order.indexOf(value) : -1
    return at >= 0 && at <= constraint.order.indexOf(constraint.rank)
  }
  return Number.isSafeInteger(value) && Number(value) >= 0
}

/** Whether whatever meets `child` meets `parent`. There is no inference across keys or types. */
export function isAsTight(child: Constraint, parent: Constraint): boolean {
  if (constraintKey(child) !== constraintKey(parent)) return false
  if ('eq' in child && 'eq' in parent) return child.eq === parent.eq
  if ('one_of' in child && 'one_of' in parent) return isSubset(child.one_of, parent.one_of)
  if ('not_one_of' in child && 'not_one_of' in parent) {
    return isSubset(parent.not_one_of, child.not_one_of)
  }
  if ('prefix' in child && 'prefix' in parent) return child.prefix.startsWith(parent.prefix)
  if ('min' in child && 'min' in parent) return child.min >= parent.min
  if ('max' in child && 'max' in parent) return child.max <= parent.max
  if ('subset_of' in child && 'subset_of' in parent) {
    return isSubset(child.subset_of, parent.subset_of)
  }
  if ('max_length' in child && 'max_length' in parent) return child.max_length <= parent.max_length
  if ('rank' in child && 'rank' in parent) {
    const { order } = parent
    const isSameOrder =
      child.order.length === order.length && child.order.every((name, at) => name === order[at])
    return isSameOrder && order.indexOf(child.rank) <= order.indexOf(parent.rank)
  }
  if ('max_lifetime' in child && 'max_lifetime' in parent) {
    return child.max_lifetime <= parent.max_lifetime
  }
  if ('max_subtree' in child && 'max_subtree' in parent) {
    return child.max_subtree <= parent.max_subtree
  }
  return false
}

/** The bound in words; it names nothing that a caller sent. */
export function says(constraint: Constraint): string {
  const { key } = constraint
  if ('eq' in constraint) return `${key} must be ${JSON.stringify(constraint.eq)}`
  if ('one_of' in constraint) return `${key} must be one of ${listed(constraint.one_of)}`
  if ('not_one_of' in constraint) return `${key} must be none of ${listed(constraint.not_one_of)}`
  if ('prefix' in constraint) return `${key} must begin with ${JSON.stringify(constraint.prefix)}`
  if ('min' in constraint) return `${key} must be at least ${String(constraint.min)}`
  if ('max' in constraint) return `${key} must be at most ${String(constraint.max)}`
  if ('subset_of' in constraint) {
    return `${key} may hold nothing but ${listed(constraint.subset_of)}`
  }
  if ('max_length' in constraint) {
    return `${key} must be no longer than ${String(constraint.max_length)}`
  }
  if ('rank' in constraint) return `${key} must be at most ${JSON.stringify(constraint.rank)}`
  return `${key} must be a whole number, for it adds up`
}

/**
 * Whether a text can be compared by its beginning: no escape, no doubled slash, no control character
 * and no dot segment can make another reader see another place.
 */
export function isClean(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  if (/[%\\\u0000-\u001f\u007f-\u009f]|\/\//.test(text)) return false
  return !text.split(/[/:]/).some((segment) => segment === '.' || segment === '..')
}

export function isScalar(value: Json): value is Scalar {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

// Equality is of canonical bytes; for scalars that is `===`: "5" is not 5, and nothing is folded.
const isIn = (set: readonly Scalar[], value: Json) => isScalar(value) && set.includes(value)
const isSubset = (inner: readonly Scalar[], outer: readonly Scalar[]) =>
  inner.every((item) => outer.includes(item))

/** Code points of a string, elements of an array; nothing else has a length. */
function lengthOf(value: Json): number {
  if (typeof value === 'string') return Array.from(value).length
  return Array.isArray(value) ? value.length : Infinity
}

const LISTED_MAX = 5
function listed(set: readonly Scalar[]): string {
  const first = set.slice(0, LISTED_MAX).map((item) => JSON.stringify(item))
  const rest = set.length - first.length
  return [...first, ...(rest > 0 ? [`${String(rest)} more`] : [])].join(', ')
}
