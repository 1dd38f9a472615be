/** Pure: the nodes that name something: tables, functions, operators, and the statements that change. */
import type { Scope, Walk } from './sql-found.ts'
import { dotted, DROPPED, isNode, type Node, PURE_FUNCTIONS } from './sql-tree.ts'

interface Place {
  /** `null` where the grammar leaves the type out, because only one can stand there. */
  readonly kind: string | null
  readonly body: Node
  readonly scope: Scope
}

/** Takes from a node what it says by itself; gives back the members that are still to be walked. */
export function understand(walk: Walk, place: Place): Node {
  const { kind, body } = place
  if (typeof body['relname'] === 'string') addTable(walk, body, place.scope)
  if (body['funcname'] !== undefined) addFunction(walk, body['funcname'])
  if (kind === 'RangeTableSample') addSample(walk, body['method'])
  if (kind === 'A_Expr' || kind === 'SubLink' || kind === 'SortBy') addOperator(walk, body)
  if (kind === 'TypeName') addType(walk, body)
  if (body['typeName'] !== undefined) addType(walk, body['typeName'])
  if (isNode(body['intoClause'])) addInto(walk, body['intoClause'])
  if (kind !== null) (SPECIAL[kind] ?? nothing)(walk, body)
  return without(body, TAKEN)
}

/** `withClause` is walked with its scopes; `FOR UPDATE OF x` names again what FROM has named. */
const TAKEN = new Set(['withClause', 'lockedRels'])

function without(body: Node, names: ReadonlySet<string>): Node {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !names.has(name)))
}

const nothing = () => undefined
type Special = (walk: Walk, body: Node) => void

const changesRelation: Special = (walk, { relation }) => {
  addTarget(walk, relation)
}
const creates: Special = (walk, { into, view, relation }) => {
  const target = into ?? view ?? relation
  addTarget(walk, isNode(target) ? (target['rel'] ?? target) : target)
}

const SPECIAL: Readonly<Record<string, Special>> = {
  InsertStmt: changesRelation,
  UpdateStmt: changesRelation,
  DeleteStmt: changesRelation,
  MergeStmt: changesRelation,
  AlterTableStmt: changesRelation,
  RefreshMatViewStmt: changesRelation,
  CreateStmt: creates,
  CreateTableAsStmt: creates,
  ViewStmt: creates,
  IndexStmt: creates,
  RenameStmt: (walk, body) => {
    const isTable = body['relation'] !== undefined
    if (isTable) addTarget(walk, body['relation'])
    else walk.found.isOpaque = true
  },
  TruncateStmt: (walk, { relations }) => {
    addTargets(walk, relations)
  },
  GrantStmt: (walk, { targtype, objtype, objects }) => {
    // Privileges on anything but tables by name are somebody else's to understand.
    if (targtype !== 'ACL_TARGET_OBJECT' || objtype !== 'OBJECT_TABLE') walk.found.isOpaque = true
    addTargets(walk, objects)
  },
  DropStmt: (walk, { removeType, objects }) => {
    if (typeof removeType !== 'string' || !DROPPED.has(removeType)) walk.found.isOpaque = true
    for (const object of Array.isArray(objects) ? objects : []) addDropped(walk, object)
  },
  LockingClause: ({ found }) => {
    found.verbs.add('lock')
  },
  CommentStmt: ({ found }) => {
    found.isOpaque = true // Its object may be anything.
  },
  CopyStmt: (walk, { is_from, is_program, filename, relation }) => {
    if (is_program === true || filename !== undefined) walk.found.isOpaque = true
    if (is_from === true) {
      walk.found.verbs.add('insert')
      addTarget(walk, relation)
    } else {
      walk.found.verbs.add('select')
    }
  },
}

/** SELECT INTO makes a table; in a UNION it hangs on the leftmost part. */
function addInto(walk: Walk, into: Node): void {
  walk.found.verbs.add('create')
  addTarget(walk, into['rel'])
}

function addTargets(walk: Walk, list: unknown): void {
  for (const item of Array.isArray(list) ? list : []) {
    addTarget(walk, isNode(item) ? item['RangeVar'] : undefined)
  }
}

/** What a statement changes is a table, whatever a WITH calls itself. */
function addTarget(walk: Walk, target: unknown): void {
  const name = isNode(target) ? tableName(walk, target) : null
  if (name === null) walk.found.isOpaque = true
  else {
    walk.found.tables.add(name)
    walk.found.writes.add(name)
  }
}

function addTable(walk: Walk, body: Node, scope: Scope): void {
  const isShadowed = body['schemaname'] === undefined && scope.has(String(body['relname']))
  if (isShadowed) return
  const name = tableName(walk, body)
  if (name === null) walk.found.isOpaque = true
  else walk.found.tables.add(name)
}

function addDropped(walk: Walk, object: unknown): void {
  const list = isNode(object) ? object['List'] : undefined
  const names = isNode(list) ? dotted(list['items']) : null
  const [relname, schemaname, ...others] = (names ?? []).toReversed()
  addTarget(walk, others.length > 0 || relname === undefined ? null : { relname, schemaname })
}

/** `schema.table`; `null` for another database, and for names that could be read in two ways. */
function tableName({ reading }: Walk, body: Node): string | null {
  const { catalogname, schemaname, relname } = body
  if (catalogname !== undefined || typeof relname !== 'string') return null
  // pg_catalog is searched before everything else, and all its tables begin like this.
  const assumed = relname.startsWith('pg_') ? 'pg_catalog' : reading.defaultSchema
  const schema = typeof schemaname === 'string' ? schemaname : assumed
  return isPlain(schema) && isPlain(relname) ? `${schema}.${relname}` : null
}

/** PostgreSQL cuts names at 63 bytes; a dot inside one would make two names look alike. */
function isPlain(name: string): boolean {
  return name !== '' && !name.includes('.') && Buffer.byteLength(name) <= 63
}

function addFunction({ reading, found }: Walk, funcname: unknown): void {
  const names = dotted(funcname)
  const [schema, ...rest] = names ?? []
  const name = (schema === 'pg_catalog' && rest.length > 0 ? rest : (names ?? [])).join('.')
  if (name === '' || !(PURE_FUNCTIONS.has(name) || reading.functions.has(name)))
    found.isOpaque = true
  if (name !== '') found.functions.add(name)
}

function addSample({ found }: Walk, method: unknown): void {
  const name = dotted(method)?.join('.')
  if (name !== 'bernoulli' && name !== 'system') found.isOpaque = true
}

/** An operator by a schema of its own is somebody's function. */
function addOperator({ found }: Walk, body: Node): void {
  const written = body['name'] ?? body['operName'] ?? body['useOp']
  const names = written === undefined ? [] : dotted(written)
  const [schema] = names ?? []
  if (names === null || (names.length > 1 && schema !== 'pg_catalog')) found.isOpaque = true
}

/** A cast to a type of another schema calls whatever reads that type. */
function addType({ found }: Walk, type: unknown): void {
  const names = isNode(type) ? dotted(type['names']) : null
  const [schema] = names ?? []
  if (names === null || (names.length > 1 && schema !== 'pg_catalog')) found.isOpaque = true
}
