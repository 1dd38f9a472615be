/** Pure: what an allow gives at the target. Arguments and facts go in as values, never as text of a grant. */
import type { JsonObject } from '../domain/json.ts'
import type { ToolCall } from '../domain/tool.ts'
import type { JwtGrant, PostgresGrant, TableRoles } from './declaration.ts'

export type Granting =
  | { readonly ok: true; readonly permissions: JsonObject }
  /** The rules allow it, and the tool has nothing prepared to give. */
  | { readonly ok: false; readonly detail: string }

/** Exactly what the call needs, by the tool's declaration. */
export function permissionsFor(call: ToolCall): Granting {
  const { connector, grant } = call.tool // As declared: declaration.ts has read it.
  if (connector === 'postgres') return postgres(call, grant as unknown as PostgresGrant)
  return { ok: true, permissions: jwt(call, grant as unknown as JwtGrant) }
}

function jwt(call: ToolCall, { audience, claims }: JwtGrant): JsonObject {
  const values = Object.entries(claims).map(([claim, from]) => [
    claim,
    call.arguments[from] ?? null,
  ])
  return values.length > 0
    ? { audience, claims: Object.fromEntries(values) as JsonObject }
    : { audience }
}

type Use = keyof TableRoles
const READING = new Set(['select', 'explain', 'show'])
const OWNING = new Set(['create', 'alter', 'drop', 'truncate', 'grant', 'refresh'])

function postgres(call: ToolCall, declared: PostgresGrant): Granting {
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
  const permissions: JsonObject = {
    roles: [...roles].sort(),
    read_only: onlyReads,
    statement_timeout_ms: declared.statement_timeout_ms,
    connection_limit: 1,
  }
  return { ok: true, permissions }
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
