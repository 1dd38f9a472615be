/** Pure: walks a parse tree, with a list of its own for what is left to do, so that depth costs no stack. */
import type { Found, Scope, SqlReading, Walk } from './sql-found.ts'
import { understand } from './sql-nodes.ts'
import { isNode, type Node, OPAQUE_VERBS, PARTS, VERBS } from './sql-tree.ts'

export function gather(statements: readonly unknown[], reading: SqlReading): Found {
  const found: Found = {
    verbs: new Set(),
    tables: new Set(),
    writes: new Set(),
    functions: new Set(),
    isOpaque: false,
  }
  const left: { value: unknown; scope: Scope }[] = []
  const walk: Walk = {
    reading,
    found,
    visit(value, scope) {
      if (typeof value === 'object' && value !== null) left.push({ value, scope })
    },
  }
  for (const statement of statements) {
    if (!isStatement(statement)) found.isOpaque = true
    walk.visit(statement, new Set())
  }
  for (let next = left.pop(); next; next = left.pop()) step(walk, next.value, next.scope)
  if (found.isOpaque && found.verbs.size === 0) found.verbs.add('unknown')
  return found
}

function step(walk: Walk, value: unknown, scope: Scope): void {
  if (Array.isArray(value)) {
    for (const item of value) walk.visit(item, scope)
  } else if (isNode(value)) {
    const [kind, body] = wrapped(value) ?? [null, value]
    if (kind !== null) name(walk.found, kind)
    const inner = withBound(walk, body, scope)
    const rest = understand(walk, { kind, body, scope: inner })
    for (const key of Object.keys(rest)) walk.visit(rest[key], inner)
  }
}

/** `{ SelectStmt: {…} }`: one member, whose name is that of a type of node. */
function wrapped(value: Node): readonly [string, Node] | null {
  const [kind, ...others] = Object.keys(value)
  if (kind === undefined || others.length > 0 || !/^[A-Z]/.test(kind)) return null
  const body = value[kind]
  return [kind, isNode(body) ? body : {}]
}

function isStatement(value: unknown): boolean {
  return isNode(value) && /Stmt$/.test(Object.keys(value)[0] ?? '')
}

/** A statement adds its word; a kind of node that nobody has looked at makes the text opaque. */
function name(found: Found, kind: string): void {
  const verb = VERBS[kind]
  if (verb !== undefined) found.verbs.add(verb)
  else if (!PARTS.has(kind)) {
    found.isOpaque = true
    if (kind.endsWith('Stmt')) found.verbs.add(OPAQUE_VERBS[kind] ?? 'unknown')
  }
}

/**
 * The scope inside a statement that may have a WITH. Each query of a plain WITH sees those before it,
 * so that one which reads its own name reads a table; of a recursive WITH each sees all.
 */
function withBound(walk: Walk, body: Node, scope: Scope): Scope {
  const clause = body['withClause']
  if (!isNode(clause)) return scope
  const queries = Array.isArray(clause['ctes']) ? clause['ctes'] : []
  const all = new Set([...scope, ...queries.flatMap(cteName)])
  const isRecursive = clause['recursive'] === true
  const seen = new Set(scope)
  for (const query of queries) {
    walk.visit(query, isRecursive ? all : new Set(seen))
    for (const own of cteName(query)) seen.add(own)
  }
  return all
}

function cteName(query: unknown): string[] {
  const body = isNode(query) ? query['CommonTableExpr'] : undefined
  const own = isNode(body) ? body['ctename'] : undefined
  return typeof own === 'string' ? [own] : []
}
