/** Scopes and constraints as somebody wrote them: closed shapes, or where and why not. */
import {
  CONSTRAINT_TYPES,
  type Constraint,
  type ConstraintType,
  constraintKey,
  isClean,
  isScalar,
} from './constraint.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import { isScope } from './scope.ts'

/** `pointer` is relative to what was read; `rule` never repeats a value. */
export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly pointer: string; readonly rule: string }

const ITEMS_MAX = 64
const ELEMENTS_MAX = 256
const STRING_BYTES_MAX = 1024

/** Reads a list of scopes. The empty one grants nothing, and is one. */
export function readScopes(value: Json): Reading<readonly string[]> {
  if (!Array.isArray(value)) return misfit('', 'array')
  if (value.length > ITEMS_MAX) return misfit('', `at most ${String(ITEMS_MAX)} scopes`)
  const scopes: string[] = []
  for (const [at, scope] of value.entries()) {
    if (typeof scope !== 'string' || !isScope(scope)) return misfit(`/${String(at)}`, 'scope')
    if (scopes.includes(scope)) return misfit(`/${String(at)}`, 'unique')
    scopes.push(scope)
  }
  return { ok: true, value: scopes }
}

/** Reads a list of constraints. A type or key of another form is `unknown_constraint`. */
export function readConstraints(value: Json): Reading<readonly Constraint[]> {
  if (!Array.isArray(value)) return misfit('', 'array')
  if (value.length > ITEMS_MAX) return misfit('', `at most ${String(ITEMS_MAX)} constraints`)
  const constraints: Constraint[] = []
  const seen = new Set<string>()
  for (const [at, item] of value.entries()) {
    const pointer = `/${String(at)}`
    const read = readConstraint(item)
    if (!read.ok) return misfit(pointer + read.pointer, read.rule)
    const key = constraintKey(read.value)
    if (seen.has(key)) return misfit(pointer, 'unique')
    seen.add(key)
    constraints.push(read.value)
  }
  return { ok: true, value: constraints }
}

function readConstraint(value: Json): Reading<Constraint> {
  if (!isObject(value)) return misfit('', 'object')
  const { key, ...rest } = value
  if (typeof key !== 'string') return misfit('/key', 'string')
  const names = Object.keys(rest).filter((name) => !(name === 'order' && 'rank' in rest))
  const [name, ...more] = names
  const type = CONSTRAINT_TYPES.find((known) => known === name)
  // How many comes first: which of two members is met first depends on how they are sorted.
  if (name === undefined || more.length > 0) return misfit('', 'exactly one type')
  if (type === undefined) return misfit('', 'unknown_constraint')
  const wrong = wrongKey(key, type) ?? wrongBound(type, rest)
  if (wrong !== null) return misfit(wrong.at, wrong.rule)
  return { ok: true, value: value as unknown as Constraint }
}

interface Wrong {
  readonly at: string
  readonly rule: string
}

const KEY = /^([a-z][a-z0-9_.-]*(\.\*)?#)?(args|facts)(\.[A-Za-z0-9_-]+)+$/

/** `calls` only adds up, and `ttl_seconds` only has an upper bound. */
function wrongKey(key: string, type: ConstraintType): Wrong | null {
  const isKnown = key === 'calls' || key === 'ttl_seconds' || KEY.test(key)
  if (!isKnown || byteLength(key) > STRING_BYTES_MAX) {
    return { at: '/key', rule: 'unknown_constraint' }
  }
  if (key === 'calls' && type !== 'max_lifetime' && type !== 'max_subtree') {
    return { at: `/${type}`, rule: 'calls takes max_lifetime or max_subtree' }
  }
  if (key === 'ttl_seconds' && type !== 'max') {
    return { at: `/${type}`, rule: 'ttl_seconds takes max' }
  }
  return null
}

function wrongBound(type: ConstraintType, bounds: JsonObject): Wrong | null {
  const bound = bounds[type]
  if (bound === undefined) return { at: '', rule: 'unknown_constraint' }
  const rule = RULES[type]
  if (!rule.holds(bound)) return { at: `/${type}`, rule: rule.says }
  if (type !== 'rank') return null
  const { order } = bounds
  const isOrder = isStringSet(order) && order.length >= 2
  if (!isOrder) return { at: '/order', rule: 'two or more distinct strings' }
  return typeof bound === 'string' && order.includes(bound)
    ? null
    : { at: '/rank', rule: 'one of order' }
}

interface Rule {
  readonly says: string
  readonly holds: (bound: Json) => boolean
}
const set: Rule = { says: `up to ${String(ELEMENTS_MAX)} distinct scalars`, holds: isSet }
const number: Rule = { says: 'number', holds: (bound) => Number.isFinite(bound) }
const count: Rule = {
  says: 'whole number',
  holds: (bound) => Number.isSafeInteger(bound) && Number(bound) >= 0,
}
const RULES: Readonly<Record<ConstraintType, Rule>> = {
  eq: { says: 'string, integer or boolean', holds: isBound },
  one_of: set,
  not_one_of: set,
  // It ends in a separator, so that `reports/` never matches `reports2/x`.
  prefix: {
    says: 'clean, and ending in / . or :',
    holds: (bound) =>
      typeof bound === 'string' && isBound(bound) && /[/.:]$/.test(bound) && isClean(bound),
  },
  min: number,
  max: number,
  subset_of: set,
  max_length: count,
  rank: { says: 'string', holds: (bound) => typeof bound === 'string' },
  max_lifetime: count,
  max_subtree: count,
}

function isBound(bound: Json): boolean {
  if (typeof bound === 'string') return byteLength(bound) <= STRING_BYTES_MAX
  return typeof bound === 'boolean' || Number.isSafeInteger(bound)
}

function isSet(bound: Json | undefined): bound is (string | number | boolean)[] {
  return (
    Array.isArray(bound) &&
    bound.length <= ELEMENTS_MAX &&
    bound.every((item) => isScalar(item) && isBound(item)) &&
    new Set(bound).size === bound.length
  )
}

function isStringSet(bound: Json | undefined): bound is string[] {
  return isSet(bound) && bound.every((item) => typeof item === 'string')
}

const utf8 = new TextEncoder()
const byteLength = (text: string) => utf8.encode(text).length
const misfit = (pointer: string, rule: string) => ({ ok: false, pointer, rule }) as const
