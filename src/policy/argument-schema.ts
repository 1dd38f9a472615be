/** The part of JSON Schema that arguments are declared in: small, closed, and without defaults. */
import { z } from 'zod'
import type { JsonObject } from '../domain/json.ts'
import type { CedarType } from './facts/kinds.ts'

const about = { description: z.string().max(500).optional() }
const size = z.int().min(0).max(1_000_000)
const whole = z.int()
const among = <Of extends z.ZodType>(of: Of) => z.array(of).min(1).max(200)

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'u').source !== ''
  } catch {
    return false
  }
}

const Text = z.strictObject({
  type: z.literal('string'),
  enum: among(z.string()).optional(),
  minLength: size.optional(),
  maxLength: size.optional(),
  pattern: z.string().max(500).refine(isPattern, 'not a regular expression').optional(),
  ...about,
})
const Whole = z.strictObject({
  type: z.literal('integer'),
  enum: among(whole).optional(),
  minimum: whole.optional(),
  maximum: whole.optional(),
  ...about,
})
const Decimal = z.strictObject({
  type: z.literal('number'),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  ...about,
})
const Truth = z.strictObject({ type: z.literal('boolean'), ...about })
const List = z.strictObject({
  type: z.literal('array'),
  get items() {
    return ArgumentSchema
  },
  minItems: size.optional(),
  maxItems: size.optional(),
  ...about,
})
const Members = z
  .strictObject({
    type: z.literal('object'),
    get properties() {
      return z.record(z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/), ArgumentSchema)
    },
    required: z.array(z.string()).optional(),
    additionalProperties: z.literal(false, 'an object is closed: name every member').optional(),
    ...about,
  })
  .refine(
    ({ properties, required = [] }) => required.every((name) => Object.hasOwn(properties, name)),
    'what is required is not declared',
  )

/** `default` is not in it: what is hashed and approved is what was sent. */
export type ArgumentSchema =
  | z.infer<typeof Text | typeof Whole | typeof Decimal | typeof Truth>
  | {
      readonly type: 'array'
      readonly items: ArgumentSchema
      readonly minItems?: number | undefined
      readonly maxItems?: number | undefined
      readonly [about: string]: unknown
    }
  | {
      readonly type: 'object'
      readonly properties: Readonly<Record<string, ArgumentSchema>>
      readonly required?: readonly string[] | undefined
      readonly [about: string]: unknown
    }
export const ArgumentSchema: z.ZodType<ArgumentSchema> = z.lazy(() =>
  z.discriminatedUnion('type', [Text, Whole, Decimal, Truth, List, Members]),
)

/** What a tool is called with: an object. */
export type ArgumentsSchema = Extract<ArgumentSchema, { type: 'object' }>
export const ArgumentsSchema = Members as unknown as z.ZodType<ArgumentsSchema>

/** The same schema with every object closed, as plain JSON. */
export function closed(schema: ArgumentSchema): JsonObject {
  if (schema.type === 'array') return { ...schema, items: closed(schema.items) } as JsonObject
  if (schema.type !== 'object') return { ...schema } as JsonObject
  const properties = Object.entries(schema.properties).map(([name, of]) => [name, closed(of)])
  const members = Object.fromEntries(properties) as JsonObject
  return { ...schema, properties: members, additionalProperties: false } as unknown as JsonObject
}

/** What a required argument is to a rule; `null` for what cannot be a fact. */
export function cedarTypeOf(schema: ArgumentsSchema, argument: string): CedarType | null {
  if (!schema.required?.includes(argument)) return null
  const type = schema.properties[argument]?.type
  if (type === 'string') return 'String'
  if (type === 'integer') return 'Long'
  return type === 'boolean' ? 'Bool' : null
}
