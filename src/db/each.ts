/** One statement for many rows: whoever asks at the same time shares a round trip, and a commit. */
import type { ClientBase, Pool, QueryResult } from 'pg'
import type { JsonObject } from '../domain/json.ts'
import { unavailable, type UnavailableInput } from '../domain/problems.ts'
import type { Each, Rowwise } from '../domain/tx.ts'
import { isOutage } from './outage.ts'

/** What they are answered with is gone on with in one turn of the event loop: no more than it can bear. */
const ROWS_MAX = 32

type Query = ClientBase['query']

/**
 * The rows of a statement, each with its tenant, `$2`: what is joined to them is found by its key. Were
 * the tenant a constant there, or were there more rows, all that a tenant has would be a way, too, and is
 * taken for a short one while tables are small.
 *
 * @param columns with their types
 */
export const rowsOf = (columns: string) =>
  `(select $2::text as tenant, r.*
    from jsonb_to_recordset($1::jsonb) as r (n int, ${columns}) limit ${String(ROWS_MAX)}) r`

/**
 * On a connection in a transaction. A row that the statement cannot bear fails it for all, as it
 * fails their transaction.
 */
export function eachOn(query: Query): Each {
  return gathering(async (statement, asked) => {
    answer(await run(query, statement, asked), asked)
  })
}

/**
 * On a pool, each statement a transaction of its own. A row that spoils it is found by going singly.
 * Rejects with `unavailable` of `input` when the database did not do its part.
 */
export function eachOf(pool: Pool, input: UnavailableInput = 'database'): Each {
  const query: Query = pool.query.bind(pool)
  const each = gathering(async (statement, asked) => {
    try {
      answer(await run(query, statement, asked), asked)
    } catch (error) {
      if (asked.length === 1 || isOutage(error)) throw error
      for (const one of asked) {
        await run(query, statement, [one]).then((result) => {
          answer(result, [one])
        }, one.reject)
      }
    }
  })
  return async (statement, row) => {
    try {
      return await each(statement, row)
    } catch (error) {
      throw isOutage(error) ? unavailable(input, error) : error
    }
  }
}

interface Asked {
  readonly row: JsonObject
  readonly resolve: (found: unknown) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Gathers what is asked in one turn of the event loop, and while the same statement is under way.
 * `send` answers all that it is handed, or rejects.
 */
function gathering(send: (statement: Rowwise, asked: readonly Asked[]) => Promise<void>): Each {
  const waiting = new Map<string, Asked[]>()

  async function drain(statement: Rowwise, queue: Asked[]): Promise<void> {
    while (queue.length > 0) {
      const asked = queue.splice(0, ROWS_MAX)
      await send(statement, asked).catch((error: unknown) => {
        // Whoever waited behind a database that does not answer has waited long enough.
        const lost = isOutage(error) ? [...asked, ...queue.splice(0)] : asked
        for (const { reject } of lost) reject(error)
      })
    }
    waiting.delete(statement.name)
  }

  return <Found>(statement: Rowwise, row: JsonObject) =>
    new Promise<Found | null>((resolve, reject) => {
      const asked: Asked = { row, resolve: resolve as Asked['resolve'], reject }
      const queue = waiting.get(statement.name)
      if (queue !== undefined) {
        queue.push(asked)
        return
      }
      const fresh = [asked]
      waiting.set(statement.name, fresh)
      setImmediate(() => {
        drain(statement, fresh).catch(reject)
      })
    })
}

async function run(
  query: Query,
  { name, text, values }: Rowwise,
  asked: readonly Asked[],
): Promise<QueryResult<{ n: number }>> {
  const rows = JSON.stringify(asked.map(({ row }, n) => ({ n, ...row })))
  return await query<{ n: number }>({ name, text, values: [rows, ...values] })
}

function answer({ rows }: QueryResult<{ n: number }>, asked: readonly Asked[]): void {
  const found = new Map(rows.map((row) => [row.n, row]))
  asked.forEach(({ resolve }, n) => {
    resolve(found.get(n) ?? null)
  })
}
