/** Bounds as people type them: `facts.tables=public.orders`, `args.amount<=500`, or as JSON. */
import { type Constraint, type ConstraintType, constraintType } from '../domain/constraint.ts'
import { readConstraints } from '../domain/constraint-reading.ts'
import { type Json, type JsonObject, readJson } from '../domain/json.ts'
import { CommandError, EXIT } from './exit.ts'

const FORM = /^([a-z][A-Za-z0-9_.*#-]*)(<=|>=|\^=|=)(.*)$/s
const TYPES: Readonly<Record<string, ConstraintType>> = { '<=': 'max', '>=': 'min', '^=': 'prefix' }

/**
 * One bound. `=` is the kind of set that the one above has for this key; where there is none, exactly
 * this value, or one of these.
 *
 * @throws CommandError when it is none
 */
export function boundOf(text: string, above: readonly Constraint[]): Constraint {
  const read = readConstraints([text.startsWith('{') ? objectIn(text) : shortIn(text, above)])
  const [bound] = read.ok ? read.value : []
  if (bound === undefined) throw noBound(text)
  return bound
}

function shortIn(text: string, above: readonly Constraint[]): JsonObject {
  const [, key, sign, rest] = FORM.exec(text) ?? []
  if (key === undefined || sign === undefined || rest === undefined) throw noBound(text)
  const type = TYPES[sign]
  if (type !== undefined) return { key, [type]: type === 'prefix' ? rest : scalar(rest) }
  const values = rest.split(',').map(scalar)
  const set = above.filter((bound) => bound.key === key).map(constraintType)
  const known = set.find((it) => it === 'subset_of' || it === 'one_of')
  if (known !== undefined) return { key, [known]: values }
  return values.length === 1 ? { key, eq: values[0] ?? null } : { key, one_of: values }
}

function scalar(text: string): Json {
  if (/^-?\d{1,15}$/.test(text)) return Number(text)
  return text === 'true' || (text === 'false' ? false : text)
}

function objectIn(text: string): JsonObject {
  try {
    return readJson(new TextEncoder().encode(text))
  } catch {
    throw noBound(text)
  }
}

const noBound = (text: string) =>
  new CommandError(
    `${text} is no bound: write facts.tables=public.orders, args.amount<=500, ` +
      `args.path^=reports/, or one JSON object`,
    EXIT.usage,
  )
