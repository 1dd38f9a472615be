/** A transaction that somebody else opened and will end. */
import type { ClientBase } from 'pg'

export interface Tx {
  readonly query: ClientBase['query']
  /** The database's clock when the transaction took its turn. Expiry is judged by it. */
  readonly now: Date
}
