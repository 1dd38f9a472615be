/** The prepared roles of a database that a statement needs: one a table and a use. */
import { z } from 'zod'
import type { JsonObject } from '../../domain/json.ts'
import type { ToolCall } from '../../domain/tool.ts'
import type { DeclaredGrant, Granted, Granting, Mistake } from './granting.ts'

const table = z
  .string()
  .regex(/^[^.\s"]{1,63}\.[^.\s"]{1,63}$/, 'a table as schema.table, as it is in the database')

/** Prepared NOLOGIN roles of the target, one a table and a use. A login joins them; it gets no more. */
const TableRoles = z.strictObject({
  read: z.string().min(1).max(63),
  write: z.string().min(1).max(63).optional(),
  /** For what only an owner may: create, alter, drop, truncate. */
  own: z.string().min(1).max(63).optional(),
})
type TableRoles = z.infer<typeof TableRoles>

export const PostgresGrant = z.strictObject({
  roles: z.record(table, TableRoles),
  read_only: z.enum(['always', 'unless_written']).default('unless_written'),
  statement_timeout_ms: z.int().min(1).max(600_000),
})
export type PostgresGrant = z.infer<typeof PostgresGrant>

export const postgres = {
  declares: {
    connector: z.literal('postgres'),
    sender_constraint: z.literal('none', 'a database password cannot be bound to a key: say none'),
    grant: PostgresGrant,
  },

  permissions,

  mistakes({ facts }: DeclaredGrant<PostgresGrant>): Mistake[] {
    if (facts === 'sql') return []
    return [['postgres roles are chosen by the tables in facts of kind sql', 'Declare those.']]
  },
} satisfies Granted<PostgresGrant>

type Use = keyof TableRoles
const READING = new Set(['select', 'explain', 'show'])
const OWNING = new Set(['create', 'alter', 'drop', 'truncate', 'grant', 'refresh'])

function permissions(call: ToolCall, declared: PostgresGrant): Granting {
  const [verbs, tables, writes] = ['verbs', 'tables', 'writes'].map((fact) => texts(call, fact))
  const needs = (tables ?? []).flatMap((table) =>
    usesOf(table, verbs ?? [], writes ?? []).map((use) => ({ table, use })),
  )
  const onlyReads = (verbs ?? []).every((verb) => READING.has(verb))
  if (declared.read_only === 'always' && !onlyReads) {
    return { ok: false, detail: `${call.tool.name} is prepared for reading only` }
  }
  const roles = new Set<string>()
  for (const { table, use } of needs) {
    const prepared = Object.hasOwn(declared.roles, table) ? declared.roles[table]?.[use] : undefined
    if (prepared === undefined) return { ok: false, detail: missing(table, use) }
    roles.add(prepared)
  }
  const given: JsonObject = {
    roles: [...roles].sort(),
    read_only: onlyReads,
    statement_timeout_ms: declared.statement_timeout_ms,
    connection_limit: 1,
  }
  return { ok: true, permissions: given }
}

/** Who changes a table reads it as well, to find the rows; who owns it may do both. */
function usesOf(table: string, verbs: readonly string[], writes: readonly string[]): Use[] {
  const isWritten = writes.includes(table)
  if (isWritten && verbs.some((verb) => OWNING.has(verb))) return ['own']
  return isWritten || verbs.includes('lock') ? ['read', 'write'] : ['read']
}

function texts(call: ToolCall, fact: string): string[] {
  const value = call.facts[fact]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** A name is told back only if it cannot be anything but a name. */
function missing(table: string, use: Use): string {
  const named = /^[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*$/.test(table) ? table : 'a table of the call'
  return `no role is prepared to ${use} ${named}`
}
