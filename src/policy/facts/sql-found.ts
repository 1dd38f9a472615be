/** Pure: what a walk carries with it, and what it has found so far. */

export interface SqlReading {
  /** Where a table is that is named without its schema. */
  readonly defaultSchema: string
  /** Functions that the tool calls harmless, beside the built-in ones: `soundex`, `reports.total`. */
  readonly functions: ReadonlySet<string>
}

export interface Found {
  readonly verbs: Set<string>
  readonly tables: Set<string>
  readonly writes: Set<string>
  readonly functions: Set<string>
  isOpaque: boolean
}

/** Names of common table expressions that can be seen from a place in the text. */
export type Scope = ReadonlySet<string>

export interface Walk {
  readonly reading: SqlReading
  readonly found: Found
  /** Puts something on the list of what is left. */
  visit(value: unknown, scope: Scope): void
}
