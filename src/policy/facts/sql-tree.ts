/** What we understand of PostgreSQL's own parse tree. What is not named here is not understood. */

/** A node as libpg-query writes it: `{ SelectStmt: { … } }`, or its members where the type is fixed. */
export type Node = Readonly<Record<string, unknown>>

/** One word for each kind of statement that rules can be written about. */
export const VERBS: Readonly<Record<string, string>> = {
  SelectStmt: 'select',
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
  CopyStmt: 'copy',
  ExplainStmt: 'explain',
  PrepareStmt: 'prepare',
  DeallocateStmt: 'deallocate',
  DeclareCursorStmt: 'declare',
  ClosePortalStmt: 'close',
  CreateStmt: 'create',
  CreateTableAsStmt: 'create',
  ViewStmt: 'create',
  IndexStmt: 'create',
  AlterTableStmt: 'alter',
  RenameStmt: 'alter',
  DropStmt: 'drop',
  TruncateStmt: 'truncate',
  GrantStmt: 'grant',
  LockStmt: 'lock',
  VacuumStmt: 'vacuum',
  RefreshMatViewStmt: 'refresh',
  CommentStmt: 'comment',
  TransactionStmt: 'transaction',
  VariableSetStmt: 'set',
  VariableShowStmt: 'show',
}

/** Statements that do what the tree does not show. They have a word too, and are opaque. */
export const OPAQUE_VERBS: Readonly<Record<string, string>> = {
  DoStmt: 'do',
  CallStmt: 'call',
  ExecuteStmt: 'execute',
}

/** Parts of statements and expressions that do nothing but what their own parts do. */
export const PARTS: ReadonlySet<string> = new Set([
  ...['A_ArrayExpr', 'A_Const', 'A_Expr', 'A_Indices', 'A_Indirection', 'A_Star', 'AccessPriv'],
  ...['AlterTableCmd', 'BitString', 'BoolExpr', 'Boolean', 'BooleanTest', 'CaseExpr', 'CaseWhen'],
  ...['CoalesceExpr', 'CollateClause', 'ColumnDef', 'ColumnRef', 'CommonTableExpr', 'Constraint'],
  ...['CurrentOfExpr', 'DefElem', 'Float', 'FuncCall', 'GroupingFunc', 'GroupingSet', 'IndexElem'],
  ...['Integer', 'JoinExpr', 'List', 'LockingClause', 'MergeWhenClause', 'MinMaxExpr'],
  ...['MultiAssignRef', 'NamedArgExpr', 'NullTest', 'ParamRef', 'PartitionElem', 'RangeFunction'],
  ...['RangeSubselect', 'RangeTableSample', 'RangeVar', 'ResTarget', 'ReturningOption', 'RoleSpec'],
  ...['RowExpr', 'SQLValueFunction', 'SetToDefault', 'SortBy', 'String', 'SubLink'],
  ...['TableLikeClause', 'TypeCast', 'TypeName', 'VacuumRelation', 'WindowDef'],
])

/** What DROP may name if it is to be understood: things that live in a schema like tables do. */
export const DROPPED: ReadonlySet<string> = new Set([
  ...['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW', 'OBJECT_INDEX', 'OBJECT_SEQUENCE'],
])

/** Functions of pg_catalog that compute from their arguments and touch nothing else. */
export const PURE_FUNCTIONS: ReadonlySet<string> = new Set([
  ...['abs', 'age', 'array_agg', 'array_length', 'avg', 'bool_and', 'bool_or', 'btrim', 'ceil'],
  ...['ceiling', 'char_length', 'concat', 'concat_ws', 'count', 'cume_dist', 'date_part'],
  ...['date_trunc', 'dense_rank', 'every', 'extract', 'first_value', 'floor', 'initcap'],
  ...['json_agg', 'json_build_object', 'jsonb_agg', 'jsonb_build_object', 'lag', 'last_value'],
  ...['lead', 'left', 'length', 'like_escape', 'lower', 'ltrim', 'max', 'min', 'mod', 'now'],
  ...['ntile', 'overlaps', 'percent_rank', 'percentile_cont', 'percentile_disc', 'position'],
  ...['power', 'rank', 'replace', 'right', 'round', 'row_number', 'rtrim', 'sign'],
  ...['similar_to_escape', 'split_part', 'sqrt', 'stddev', 'string_agg', 'strpos', 'substr'],
  ...['substring', 'sum', 'timezone', 'to_char', 'to_date', 'to_number', 'to_timestamp', 'trim'],
  ...['trunc', 'unnest', 'upper', 'variance', 'width_bucket'],
])

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The texts of a list of `String` nodes: a dotted name, part by part; `null` if it is anything else. */
export function dotted(list: unknown): readonly string[] | null {
  if (!Array.isArray(list)) return null
  const names = list.map((item: unknown) => {
    const string = isNode(item) ? item['String'] : undefined
    return isNode(string) ? string['sval'] : undefined
  })
  return names.every((name) => typeof name === 'string') ? names : null
}
