/** What a file of `policies/tools/` may say. */
import { z } from 'zod'
import { isToolName } from '../domain/scope.ts'
import { ArgumentsSchema } from './argument-schema.ts'
import { GRANTS } from './grant.ts'

const word = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'a word of a-z, 0-9, _ and -')
const field = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'a word of a-z, 0-9 and _')
const argument = z.string().min(1).max(64)

const Facts = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sql'),
    from: argument.default('sql'),
    default_schema: z
      .string()
      .regex(/^[^.\s"]{1,63}$/)
      .default('public'),
    functions: z.array(z.string().max(127)).max(200).default([]),
  }),
  z.strictObject({ kind: z.literal('arguments'), fields: z.record(field, argument) }),
  z.strictObject({ kind: z.literal('http'), fields: z.record(field, argument).default({}) }),
])

const SECONDS_MAX = 3600
const seconds = z.int().min(1).max(SECONDS_MAX)

const common = {
  name: z.string().refine(isToolName, 'a name like sql.query: at least two words, in lower case'),
  title: z.string().min(1).max(120),
  description: z.string().max(1000).optional(),
  target: word,
  groups: z.array(word).min(1).max(20),
  risk: z.enum(['low', 'medium', 'high']),
  data_classes: z.array(word).max(20).default([]),
  ttl_seconds: z
    .strictObject({ default: seconds.default(60), max: seconds.default(300) })
    .default({ default: 60, max: 300 }),
  arguments: ArgumentsSchema,
  facts: Facts,
  /** Left out everywhere else, so that it changes no other tool's hash. */
  canary: z.literal(true).optional(),
}

export const Declaration = z.discriminatedUnion('connector', [
  z.strictObject({ ...common, ...GRANTS.postgres.declares }),
  z.strictObject({ ...common, ...GRANTS['postgres-exact'].declares }),
  z.strictObject({ ...common, ...GRANTS.jwt.declares }),
  z.strictObject({ ...common, ...GRANTS.http.declares }),
  z.strictObject({ ...common, ...GRANTS.vault.declares }),
  z.strictObject({ ...common, ...GRANTS['aws-sts'].declares }),
])
export type Declaration = z.infer<typeof Declaration>
