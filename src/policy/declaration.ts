/** What a file of `policies/tools/` may say. */
import { z } from 'zod'
import { isToolName } from '../domain/scope.ts'
import { ArgumentsSchema } from './argument-schema.ts'

const word = z.string().regex(/^[a-z][a-z0-9_-]{0,62}$/, 'a word of a-z, 0-9, _ and -')
const field = z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'a word of a-z, 0-9 and _')
const argument = z.string().min(1).max(64)
const table = z
  .string()
  .regex(/^[^.\s"]{1,63}\.[^.\s"]{1,63}$/, 'a table as schema.table, as it is in the database')

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
}

/** Prepared NOLOGIN roles of the target, one a table and a use. A login joins them; it gets no more. */
const TableRoles = z.strictObject({
  read: z.string().min(1).max(63),
  write: z.string().min(1).max(63).optional(),
  /** For what only an owner may: create, alter, drop, truncate. */
  own: z.string().min(1).max(63).optional(),
})
export type TableRoles = z.infer<typeof TableRoles>

const Postgres = z.strictObject({
  ...common,
  connector: z.literal('postgres'),
  sender_constraint: z.literal('none', 'a database password cannot be bound to a key: say none'),
  grant: z.strictObject({
    roles: z.record(table, TableRoles),
    read_only: z.enum(['always', 'unless_written']).default('unless_written'),
    statement_timeout_ms: z.int().min(1).max(600_000),
  }),
})

/** Claims that the broker sets, and that no declaration may. */
const RESERVED = ['iss', 'sub', 'aud', 'client_id', 'act', 'iat', 'nbf', 'exp', 'jti', 'cnf']
const claim = z
  .string()
  .regex(/^[a-z][a-z0-9_]{0,62}$/)
  .refine((name) => ![...RESERVED, 'authorization_details'].includes(name), 'the broker sets it')

const Jwt = z.strictObject({
  ...common,
  connector: z.literal('jwt'),
  sender_constraint: z.literal('dpop', 'a minted token is bound to its key: say dpop'),
  grant: z.strictObject({
    audience: z.url(),
    /** Claim → the argument that it has the value of. */
    claims: z.record(claim, argument).default({}),
  }),
})

export const Declaration = z.discriminatedUnion('connector', [Postgres, Jwt])
export type Declaration = z.infer<typeof Declaration>
export type PostgresGrant = z.infer<typeof Postgres>['grant']
export type JwtGrant = z.infer<typeof Jwt>['grant']
