/** An independent model of authority: it compares no bounds, it filters the set of all calls. */
import fc from 'fast-check'
import type { Authority, Bounded } from '../../src/domain/authority.ts'
import type { Constraint } from '../../src/domain/constraint.ts'
import type { Json } from '../../src/domain/json.ts'

const TOOLS = ['crm.read', 'crm.customer.read', 'pay.refund', 'crmx.read']
const PURPOSES = ['support', 'support.refunds', 'sales']
const VALUES: (Json | undefined)[] = [
  ...[undefined, null, true, 0, 1, 2, 3, 1.5, -1],
  ...['1', 'x', 'y', 'zzz', 'r/', 'r/s/', 'r/s/t', 'r/../s', 'r2/s'],
  ...[[], ['x'], ['x', 'y'], [1], { b: 1 }],
]

export interface Case {
  readonly call: Bounded
  readonly purpose: string
}
/** Every call that there is in this small world. */
export const CALLS: readonly Case[] = TOOLS.flatMap((name) =>
  PURPOSES.flatMap((purpose) =>
    VALUES.map((value) => ({
      call: { tool: { name }, arguments: value === undefined ? {} : { a: value }, facts: {} },
      purpose,
    })),
  ),
)

export function admitted(authority: Authority): Case[] {
  return CALLS.filter(({ call, purpose }) => {
    const isGranted = authority.scopes.some((scope) => reach(scope).includes(call.tool.name))
    const isMeant = `${purpose}.`.startsWith(`${authority.purpose}.`)
    const value = call.arguments['a']
    return (
      isGranted &&
      isMeant &&
      authority.constraints.every((bound) => {
        const [scope] = bound.key.includes('#') ? bound.key.split('#') : ['']
        return (scope && !reach(scope).includes(call.tool.name)) || passes(bound, value)
      })
    )
  })
}

/** Which tools of this world a scope stands for, written out. */
const reach = (scope: string): string[] =>
  ({
    'crm.*': ['crm.read', 'crm.customer.read'],
    'crm.customer.*': ['crm.customer.read'],
    'crm.read': ['crm.read'],
    'pay.refund': ['pay.refund'],
  })[scope] ?? []

function passes(bound: Constraint, value: Json | undefined): boolean {
  const text = JSON.stringify(value)
  const among = (set: readonly unknown[]) => set.some((item) => JSON.stringify(item) === text)
  const isPlain = value !== undefined && value !== null && typeof value !== 'object'
  if (bound.key === 'calls') return true
  if ('eq' in bound) return JSON.stringify(bound.eq) === text
  if ('one_of' in bound) return among(bound.one_of)
  if ('not_one_of' in bound) return isPlain && !among(bound.not_one_of)
  if ('prefix' in bound) {
    const clean = ['r/', 'r/s/', 'r/s/t', 'r2/s']
    return typeof value === 'string' && clean.includes(value) && value.indexOf(bound.prefix) === 0
  }
  if ('min' in bound) return typeof value === 'number' && !(value < bound.min)
  if ('max' in bound) return typeof value === 'number' && !(value > bound.max)
  if ('subset_of' in bound) {
    const allowed = new Set(bound.subset_of.map((item) => JSON.stringify(item)))
    return Array.isArray(value) && !value.some((item) => !allowed.has(JSON.stringify(item)))
  }
  if ('max_length' in bound) {
    return (typeof value === 'string' || Array.isArray(value)) && value.length <= bound.max_length
  }
  if ('rank' in bound) {
    return bound.order.slice(0, bound.order.indexOf(bound.rank) + 1).some((name) => name === value)
  }
  return typeof value === 'number' && [0, 1, 2, 3].includes(value)
}

const SCALARS = [1, 2, '1', 'x', 'y', true]
const ORDER = ['x', 'y', 'zzz']
const key = fc.constantFrom('args.a', 'crm.*#args.a', 'pay.refund#args.a')
const some = fc.subarray(SCALARS)
const small = fc.integer({ min: 0, max: 4 })
const on = <T>(shape: fc.Arbitrary<T>) => fc.tuple(key, shape).map(([k, s]) => ({ key: k, ...s }))
const constraint: fc.Arbitrary<Constraint> = fc.oneof(
  on(fc.record({ eq: fc.constantFrom(...SCALARS) })),
  on(fc.record({ one_of: some })),
  on(fc.record({ not_one_of: some })),
  on(fc.record({ prefix: fc.constantFrom('r/', 'r/s/', 'r2/') })),
  on(fc.record({ min: fc.integer({ min: -1, max: 3 }) })),
  on(fc.record({ max: fc.integer({ min: -1, max: 3 }) })),
  on(fc.record({ subset_of: some })),
  on(fc.record({ max_length: small })),
  on(fc.record({ rank: fc.constantFrom(...ORDER), order: fc.constant(ORDER) })),
  on(fc.record({ max_lifetime: small })),
  on(fc.record({ max_subtree: small })),
  fc.record({ key: fc.constant('calls'), max_subtree: small }),
)
const named = (bound: Constraint) => Object.keys(bound).join()
const constraints = fc.uniqueArray(constraint, {
  maxLength: 4,
  selector: (bound) => `${bound.key} ${named(bound)}`,
})
const scopes = fc.subarray(['crm.*', 'crm.customer.*', 'crm.read', 'pay.refund'])
const purpose = fc.constantFrom('support', 'support.refunds')

export const authority: fc.Arbitrary<Authority> = fc.record({ scopes, purpose, constraints })
export const narrowing: fc.Arbitrary<Authority> = authority

/** A tightening of `parent`, made by taking away, not by comparing. */
export function tightened(parent: Authority, random: Iterator<number>): Authority {
  const pick = (below: number) => Number(random.next().value) % below
  const fewer = <T>(set: readonly T[]) => set.filter(() => pick(3) > 0)
  const { scopes: above } = parent
  const below = fewer(above).map((scope) =>
    scope === 'crm.*' && pick(2) === 0 ? 'crm.customer.*' : scope,
  )
  return {
    scopes: below,
    purpose: parent.purpose === 'support' && pick(2) === 0 ? 'support.refunds' : parent.purpose,
    constraints: parent.constraints.map((bound) => tighter(bound, pick)),
  }
}

function tighter(bound: Constraint, pick: (below: number) => number): Constraint {
  const fewer = <T>(set: readonly T[]) => set.filter(() => pick(3) > 0)
  const less = (limit: number) => Math.max(0, limit - pick(2))
  if ('one_of' in bound) return { ...bound, one_of: fewer(bound.one_of) }
  if ('subset_of' in bound) return { ...bound, subset_of: fewer(bound.subset_of) }
  if ('not_one_of' in bound) {
    return { ...bound, not_one_of: [...new Set([...bound.not_one_of, 'y'])] }
  }
  if ('prefix' in bound) return { ...bound, prefix: bound.prefix + (pick(2) ? 's/' : '') }
  if ('min' in bound) return { ...bound, min: bound.min + pick(2) }
  if ('max' in bound) return { ...bound, max: bound.max - pick(2) }
  if ('max_length' in bound) return { ...bound, max_length: less(bound.max_length) }
  if ('rank' in bound) {
    return { ...bound, rank: bound.order[pick(bound.order.indexOf(bound.rank) + 1)] ?? bound.rank }
  }
  if ('max_lifetime' in bound) return { ...bound, max_lifetime: less(bound.max_lifetime) }
  if ('max_subtree' in bound) return { ...bound, max_subtree: less(bound.max_subtree) }
  return bound
}

export function reversed({ scopes: above, purpose: why, constraints: all }: Authority): Authority {
  return { scopes: above.toReversed(), purpose: why, constraints: all.toReversed() }
}
