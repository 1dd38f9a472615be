/** A transaction that somebody else opened and will end. */
import type { ClientBase } from 'pg'
import type { JsonObject } from './json.ts'

export interface Tx {
  readonly query: ClientBase['query']
  readonly each: Each
  /**
   * The database's clock in this turn, from after the work came. Expiry is judged by it, or by what the
   * clock says later in the turn. A work of the ledger may begin before its turn is there: then it is
   * known once anything was answered.
   */
  readonly now: Date
  /** Resolves when `now` is known. */
  readonly begun: Promise<unknown>
}

/** A statement that answers for many rows at once, each with an outcome of its own. */
export interface Rowwise {
  readonly name: string
  /** `$1` are the rows as `jsonb`, each with its number `n`; an outcome names the `n` it is for. */
  readonly text: string
  /** `$2` and on: the same for all that ask at the same time. */
  readonly values: readonly unknown[]
}

/** The outcome of this row, `null` where it has none. Whoever asks together shares one statement. */
export type Each = <Found>(statement: Rowwise, row: JsonObject) => Promise<Found | null>
