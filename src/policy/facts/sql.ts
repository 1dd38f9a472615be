/** Pure: the facts of an SQL text, read by PostgreSQL's own grammar. */
import type { Found, SqlReading } from './sql-found.ts'
import { isNode } from './sql-tree.ts'
import { gather } from './sql-walk.ts'

/** Flat and sorted, as rules and constraints see them. */
export interface SqlFacts {
  /** One word for every statement anywhere in the text: CTEs, EXPLAIN, COPY and cursors included. */
  readonly verbs: readonly string[]
  /** Every table that is named, as `schema.table`; names of common table expressions are not. */
  readonly tables: readonly string[]
  /** Those among them that a statement changes. */
  readonly writes: readonly string[]
  readonly functions: readonly string[]
  readonly statements: number
  /** Something in the text is not understood, or may do what the tree does not show. */
  readonly opaque: boolean
}

/** PostgreSQL's parse tree of a text, or `null` where there is none. Never throws. */
export type Parse = (sql: string) => unknown

const BYTES_MAX = 65_536
const ELEMENTS_MAX = 100
const LONE_SURROGATE = /\p{Surrogate}/u

const UNKNOWN: SqlFacts = {
  verbs: ['unknown'],
  tables: [],
  writes: [],
  functions: [],
  statements: 0,
  opaque: true,
}

/**
 * What a text would do, as far as it can be known without running it. Whatever is in doubt makes it
 * opaque: a rule that permits asks for `opaque == false`. Never throws.
 */
export function sqlFacts(sql: string, parse: Parse, reading: SqlReading): SqlFacts {
  // The parser ends a text at its first NUL, silently; PostgreSQL never sees a lone surrogate.
  if (sql.includes('\0') || LONE_SURROGATE.test(sql) || Buffer.byteLength(sql) > BYTES_MAX) {
    return UNKNOWN
  }
  if (isCostly(sql)) return UNKNOWN
  const statements = statementsOf(parse(sql))
  if (statements.length === 0) return UNKNOWN
  const found = gather(statements, reading)
  const sets = [found.verbs, found.tables, found.writes, found.functions]
  if (sets.some(({ size }) => size > ELEMENTS_MAX)) return UNKNOWN
  return { ...sorted(found), statements: statements.length, opaque: found.isOpaque }
}

/** Words, numbers and single characters, in quotes or not: what a tree grows with. */
const TOKENS_MAX = 5000
/** Each ends a statement, and every statement is a tree of its own. */
const SEMICOLONS_MAX = 200
/** PostgreSQL goes over a run of operator characters anew for each of them: the sum of their squares. */
const RUNS_MAX = 1_000_000
const TOKEN = /[\p{L}\p{N}_$]+|[~!@#^&|`?+\-*/%<>=]+|[^\s\p{L}\p{N}_$]/gu
const RUN = /^[~!@#^&|`?+\-*/%<>=]/

/** Whether reading it would keep everybody else waiting. The text is gone through once. */
function isCostly(sql: string): boolean {
  let [tokens, semicolons, runs] = [0, 0, 0]
  for (const [token] of sql.matchAll(TOKEN)) {
    tokens += 1
    if (token === ';') semicolons += 1
    else if (RUN.test(token)) runs += token.length ** 2
    if (tokens > TOKENS_MAX || semicolons > SEMICOLONS_MAX || runs > RUNS_MAX) return true
  }
  return false
}

function statementsOf(tree: unknown): readonly unknown[] {
  const list = isNode(tree) ? tree['stmts'] : undefined
  if (!Array.isArray(list)) return []
  return list.map((raw: unknown) => (isNode(raw) ? raw['stmt'] : undefined))
}

function sorted({ verbs, tables, writes, functions }: Found) {
  return {
    verbs: [...verbs].sort(),
    tables: [...tables].sort(),
    writes: [...writes].sort(),
    functions: [...functions].sort(),
  }
}
