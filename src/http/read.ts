/** Reads what a caller sent, once they are known: strictly as text, then against the route's schema. */
import type { Request, Response } from 'express'
import { z } from 'zod'
import { type Id, type IdPrefix, isId } from '../domain/ids.ts'
import type { Reading } from '../domain/constraint-reading.ts'
import { isObject, type Json, JsonError, type JsonObject, readJson } from '../domain/json.ts'
import { BrokerError } from '../domain/problems.ts'
import { callOf, pathOf } from './call.ts'
import { malformed } from './check-request.ts'

const ERRORS_MAX = 20
const POINTER_MAX = 200

/** @throws BrokerError of the reader's codes (400), or `schema_violation` */
export function read<Schema extends z.ZodType>(schema: Schema, res: Response): z.output<Schema> {
  return checked(schema, readObject(res))
}

/** The object as sent: what an Idempotency-Key stands for. */
export function readObject(res: Response, limits?: Parameters<typeof readJson>[1]): JsonObject {
  return readObjectIn(callOf(res).body, limits)
}

export function readObjectIn(
  octets: Uint8Array,
  limits?: Parameters<typeof readJson>[1],
): JsonObject {
  try {
    return readJson(octets, limits)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new BrokerError(error.code, { shown: { detail: error.message } })
  }
}

/** @throws BrokerError `schema_violation`, which names members and rules and never a value */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const errors = parsed.error.issues.flatMap(violationsOf).slice(0, ERRORS_MAX)
  throw new BrokerError('schema_violation', { shown: { errors } })
}

/** The query of a route that has one. A parameter that is unknown, or outside its range, is 422. */
export function readQuery<Schema extends z.ZodType>(
  schema: Schema,
  req: Request,
): z.output<Schema> {
  const query = req.originalUrl.slice(pathOf(req).length + 1)
  return checked(schema, Object.fromEntries(new URLSearchParams(query)))
}

/** A form, each parameter once. */
export function readForm(res: Response): ReadonlyMap<string, string> {
  const form = new Map<string, string>()
  const text = decoded(() => UTF8.decode(callOf(res).body))
  for (const pair of text.split('&').filter((it) => it !== '')) {
    const [name = '', ...value] = pair.split('=')
    const parameter = decoded(() => unescaped(name))
    if (form.has(parameter)) throw malformed('A parameter is there twice')
    form.set(
      parameter,
      decoded(() => unescaped(value.join('='))),
    )
  }
  return form
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const unescaped = (text: string) => decodeURIComponent(text.replaceAll('+', ' '))

function decoded(decode: () => string): string {
  let text
  try {
    text = decode()
  } catch (cause) {
    throw new BrokerError('bad_encoding', { cause })
  }
  if (text.includes('\0')) throw new BrokerError('bad_encoding')
  return text
}

/** The id in the path. One of a wrong form is the same as one that does not exist. */
export function idIn<Prefix extends IdPrefix>(req: Request, prefix: Prefix): Id<Prefix> {
  const { id } = req.params
  if (typeof id !== 'string' || !isId(prefix, id)) throw new BrokerError('not_found')
  return id
}

export const idOf = <Prefix extends IdPrefix>(prefix: Prefix) =>
  z.custom<Id<Prefix>>((value) => typeof value === 'string' && isId(prefix, value), {
    params: { rule: `${prefix}_id` },
  })

/** Any object, as it was read: nothing in it is touched. */
export const anObject = z.custom<JsonObject>((value) => isObject(value as JsonObject), {
  params: { rule: 'object' },
})

export const time = z.iso.datetime().transform((text) => new Date(text))

/** What the domain reads by itself: its pointer and rule, at the place of this member. */
export const readBy = <T>(reader: (value: Json) => Reading<T>) =>
  z.unknown().transform((value, context): T => {
    const reading = reader(value as Json)
    if (reading.ok) return reading.value
    const path = reading.pointer.split('/').slice(1)
    context.addIssue({ code: 'custom', path, params: { rule: reading.rule } })
    return z.NEVER
  })

export const DIGEST = z.string().regex(/^[A-Za-z0-9_-]{43}$/)
export const TOOL = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$/)
export const PURPOSE = z
  .string()
  .max(64)
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/)

/** Why somebody stops or holds back something. */
export const CAUSE = z.enum([
  ...(['session_revoked', 'risk_elevated', 'subject_disabled', 'token_replay_suspected'] as const),
  ...(['policy_changed', 'operator_action', 'compromised', 'withdrawn'] as const),
])

function violationsOf(issue: z.core.$ZodIssue): { pointer: string; rule: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ pointer: pointerOf([...issue.path, key]), rule: 'unknown' }))
  }
  return [{ pointer: pointerOf(issue.path), rule: ruleOf(issue) }]
}

/** RFC 6901, cut off where a name grows out of hand. */
function pointerOf(path: readonly PropertyKey[]): string {
  const escaped = path.map((part) => String(part).replaceAll('~', '~0').replaceAll('/', '~1'))
  return escaped
    .map((part) => `/${part}`)
    .join('')
    .slice(0, POINTER_MAX)
}

function ruleOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined') ? 'required' : `type ${issue.expected}`
    case 'too_big':
      return `at most ${String(issue.maximum)}`
    case 'too_small':
      return `at least ${String(issue.minimum)}`
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`
    case 'invalid_format':
      return `format ${issue.format}`
    case 'custom':
      return String(issue.params?.['rule'] ?? 'valid')
    default:
      return 'valid'
  }
}
