/** Pure: whether arguments fit what their tool declares. Nothing is coerced, filled in or normalised. */
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ArgumentSchema, ArgumentsSchema } from './argument-schema.ts'

/** What is wrong with an argument: where, and by which rule of the schema. Never the value. */
export interface Misfit {
  readonly pointer: string
  readonly rule: Rule
}
type Rule =
  'invalid_type' | 'invalid_value' | 'invalid_format' | 'too_small' | 'too_big' | 'unknown_member'

const MISFITS_MAX = 20

/** Every keyword of the schema counts, together with all the others. At most 20 misfits are told. */
export function checkFor(schema: ArgumentsSchema): (args: JsonObject) => readonly Misfit[] {
  const check = checkOf(schema)
  return (args) => {
    const found: Misfit[] = []
    for (const misfit of check(args, '/arguments')) {
      found.push(misfit)
      if (found.length >= MISFITS_MAX) break
    }
    return found
  }
}

type Check = (value: Json | undefined, pointer: string) => Iterable<Misfit>

function checkOf(schema: ArgumentSchema): Check {
  switch (schema.type) {
    case 'string':
      return textCheck(schema)
    case 'integer':
    case 'number':
      return numberCheck(schema)
    case 'boolean':
      return (value, pointer) => ruled(pointer, [typeof value !== 'boolean', 'invalid_type'])
    case 'array':
      return listCheck(schema)
    case 'object':
      return objectCheck(schema)
  }
}

type Of<Type extends ArgumentSchema['type']> = Extract<ArgumentSchema, { type: Type }>

function textCheck({ enum: among, minLength = 0, maxLength, pattern }: Of<'string'>): Check {
  const form = pattern === undefined ? null : new RegExp(pattern, 'u')
  return (value, pointer) => {
    if (typeof value !== 'string') return [{ pointer, rule: 'invalid_type' }]
    const length = Array.from(value).length // in characters, as JSON Schema counts
    return ruled(
      pointer,
      [among?.includes(value) === false, 'invalid_value'],
      [length < minLength, 'too_small'],
      [length > (maxLength ?? Infinity), 'too_big'],
      [form?.test(value) === false, 'invalid_format'],
    )
  }
}

function numberCheck(schema: Of<'integer'> | Of<'number'>): Check {
  const { type, minimum = -Infinity, maximum = Infinity } = schema
  const among = type === 'integer' ? schema.enum : undefined
  const isOfType = type === 'integer' ? Number.isSafeInteger : Number.isFinite
  return (value, pointer) => {
    if (typeof value !== 'number' || !isOfType(value)) return [{ pointer, rule: 'invalid_type' }]
    return ruled(
      pointer,
      [among?.includes(value) === false, 'invalid_value'],
      [value < minimum, 'too_small'],
      [value > maximum, 'too_big'],
    )
  }
}

function listCheck({ items, minItems = 0, maxItems = Infinity }: Of<'array'>): Check {
  const check = checkOf(items)
  return function* (value, pointer) {
    if (!Array.isArray(value)) {
      yield { pointer, rule: 'invalid_type' }
      return
    }
    yield* ruled(
      pointer,
      [value.length < minItems, 'too_small'],
      [value.length > maxItems, 'too_big'],
    )
    for (const [at, item] of value.entries()) yield* check(item, `${pointer}/${String(at)}`)
  }
}

function objectCheck({ properties, required = [] }: Of<'object'>): Check {
  const checks = new Map(Object.entries(properties).map(([name, of]) => [name, checkOf(of)]))
  return function* (value, pointer) {
    if (!isObject(value)) {
      yield { pointer, rule: 'invalid_type' }
      return
    }
    for (const name of required) {
      if (!Object.hasOwn(value, name)) yield { pointer: below(pointer, name), rule: 'invalid_type' }
    }
    for (const [name, member] of Object.entries(value)) {
      const check = checks.get(name)
      if (check) yield* check(member, below(pointer, name))
      else yield { pointer: below(pointer, name), rule: 'unknown_member' }
    }
  }
}

function ruled(pointer: string, ...rules: readonly (readonly [boolean, Rule])[]): Misfit[] {
  return rules.flatMap(([isBroken, rule]) => (isBroken ? [{ pointer, rule }] : []))
}

/** RFC 6901 §3. */
const below = (pointer: string, step: string) =>
  `${pointer}/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`
