/** What scopes and constraints mean, written from docs/chain.md alone: by trying all values there are. */

export type Bound = { readonly key: string } & Readonly<Record<string, unknown>>

const json = (value: unknown) => JSON.stringify(value)
const SEGMENT = /^[a-z][a-z0-9_-]*$/

/** `name`, `wildcard`, `opaque`, or `null` for what is no scope. */
function kindOfScope(scope: unknown): 'name' | 'wildcard' | 'opaque' | null {
  if (typeof scope !== 'string' || scope === '') return null
  const segments = scope.split('.')
  const last = segments.pop() ?? ''
  const isStem = segments.length > 0 && segments.every((it) => SEGMENT.test(it))
  if (isStem && last === '*') return scope.length <= 66 ? 'wildcard' : null
  if (isStem && SEGMENT.test(last)) return scope.length <= 64 ? 'name' : null
  const isNameButForCase = [...segments, last].every((it) => SEGMENT.test(it.toLowerCase()))
  if (scope.includes('*') || (segments.length > 0 && isNameButForCase)) return null
  const isAllowed = [...scope].every((it) => it > ' ' && it <= '~' && it !== '"' && it !== '\\')
  return isAllowed && scope.length <= 1024 ? 'opaque' : null
}

export function areScopes(list: unknown): boolean {
  if (!Array.isArray(list) || list.length > 64) return false
  return list.every(kindOfScope) && new Set(list).size === list.length
}

/** Whether everything that one scope stands for, another does: with a name that only it can mean. */
export function isCovered(child: string, parent: string): boolean {
  const kind = kindOfScope(child)
  const names =
    kind === 'wildcard' ? ['zz9', 'zz9.zz9'].map((it) => child.slice(0, -1) + it) : [child]
  return names.every((name) => standsFor(parent, name, kind === 'opaque'))
}

export function standsFor(scope: string, name: string, isOpaque = false): boolean {
  if (kindOfScope(scope) !== 'wildcard' || isOpaque) return scope === name
  const stem = scope.split('.').slice(0, -1)
  const segments = name.split('.')
  return segments.length > stem.length && stem.every((it, at) => it === segments[at])
}

/** Every value there is here: what constraints speak of, and its neighbours. */
const SCALARS = [-1, 0, 1, 1.5, 2, '1', 'a', 'b', 'c', 'd', true, false]
const NUMBERS = Array.from({ length: 73 }, (_, at) => at / 2 - 16)
const PATHS = [
  'a/',
  'a/b',
  'a/b/',
  'a/b/c',
  'a/b/c/',
  'a2/',
  'a2/b',
  'b/',
  'a/../b/',
  'a//b',
  'a/%2e/',
]
const TEXTS = Array.from({ length: 17 }, (_, length) => 'x'.repeat(length))
const SCALAR_LISTS = [[], ...SCALARS.map((it) => [it]), ['a', 'b'], [1, 2], ['a', 1, true]]
export const VALUES: readonly unknown[] = [
  ...[...SCALARS, ...NUMBERS, ...PATHS, ...TEXTS, ...SCALAR_LISTS],
  ...[undefined, null, {}, { a: 1 }],
]

export const CUMULATIVE = ['max_lifetime', 'max_subtree']
const TYPES = [
  ...['eq', 'one_of', 'not_one_of', 'prefix', 'min', 'max', 'subset_of', 'max_length', 'rank'],
  ...CUMULATIVE,
]
export const typeOf = (bound: object) => TYPES.find((type) => Object.hasOwn(bound, type)) ?? ''

/** Whether a value is inside a bound. Of a total, `value` is what it comes to. */
export function isInside(bound: Bound, value: unknown): boolean {
  const type = typeOf(bound)
  const is = bound[type]
  const isScalar = ['string', 'number', 'boolean'].includes(typeof value)
  const among = (it: unknown) => (is as unknown[]).some((one) => json(one) === json(it))
  switch (type) {
    case 'eq':
      return json(value) === json(is)
    case 'one_of':
      return among(value)
    case 'not_one_of':
      return isScalar && !among(value)
    case 'prefix':
      return typeof value === 'string' && value.indexOf(String(is)) === 0 && isTidy(value)
    case 'min':
      return typeof value === 'number' && !(value < Number(is))
    case 'max':
      return typeof value === 'number' && !(value > Number(is))
    case 'subset_of':
      return Array.isArray(value) && value.filter((it) => !among(it)).length === 0
    case 'max_length':
      return (typeof value === 'string' || Array.isArray(value)) && value.length <= Number(is)
    case 'rank': {
      const order = bound['order'] as unknown[]
      return order.slice(0, order.indexOf(is) + 1).some((it) => it === value)
    }
    default:
      return (
        typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= Number(is)
      )
  }
}

const isTidy = (text: string) =>
  !/[%\\]/.test(text) &&
  !text.includes('//') &&
  !text.split(/[/:]/).some((it) => /^\.\.?$/.test(it))

/** Whether all that is inside the child is inside the parent. Orders have to be the same besides. */
export function isTighter(child: Bound, parent: Bound): boolean {
  if (json(child['order']) !== json(parent['order'])) return false
  // What the two speak of is part of the world, whatever it is.
  const named = [child, parent].flatMap((bound) => Object.values(bound).flat())
  const values = [...VALUES, ...named, ...named.map((it) => [it])]
  return values.filter((value) => isInside(child, value)).every((value) => isInside(parent, value))
}

const KEY = /^(args|facts)(\.[A-Za-z0-9_-]+)+$/

/** Why a constraint is none. */
export function faultOf(bound: unknown): 'malformed' | 'unknown_constraint' | null {
  if (typeof bound !== 'object' || bound === null || Array.isArray(bound)) return 'malformed'
  const { key, ...rest } = bound as Record<string, unknown>
  const isRanked = Object.hasOwn(rest, 'rank')
  const names = Object.keys(rest).filter((name) => !(isRanked && name === 'order'))
  if (typeof key !== 'string' || names.length !== 1) return 'malformed'
  const [type = ''] = names
  if (!TYPES.includes(type)) return 'unknown_constraint'
  const [path = '', tool, ...others] = key.split('#').reverse()
  const isTool = tool === undefined || /^[a-z][a-z0-9_.-]*(\.\*)?$/.test(tool)
  const isPlain = (key === 'calls' || key === 'ttl_seconds') && tool === undefined
  if (!isPlain && !(others.length === 0 && isTool && KEY.test(path))) return 'unknown_constraint'
  if (key === 'calls' && !CUMULATIVE.includes(type)) return 'malformed'
  if (key === 'ttl_seconds' && type !== 'max') return 'malformed'
  return isShaped(type, rest) ? null : 'malformed'
}

function isShaped(type: string, rest: Record<string, unknown>): boolean {
  const is = rest[type]
  if (type === 'eq') return isElement(is)
  if (['one_of', 'not_one_of', 'subset_of'].includes(type)) return isSet(is)
  if (type === 'prefix') return typeof is === 'string' && /[/.:]$/.test(is) && isTidy(is)
  if (type === 'min' || type === 'max') return typeof is === 'number'
  if (type !== 'rank') return typeof is === 'number' && Number.isSafeInteger(is) && is >= 0
  const order = rest['order']
  if (!isSet(order) || order.length < 2) return false
  return order.every((it) => typeof it === 'string') && order.some((it) => it === is)
}

const isElement = (it: unknown) =>
  typeof it === 'string' || typeof it === 'boolean' || Number.isSafeInteger(it)
const isSet = (it: unknown): it is unknown[] =>
  Array.isArray(it) &&
  it.length <= 256 &&
  it.every(isElement) &&
  new Set(it.map(json)).size === it.length
