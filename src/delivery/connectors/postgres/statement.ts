/** Runs one statement as a login, and reads its answer as the server wrote it. */
import { Socket } from 'node:net'
import { Client, DatabaseError, Query, type QueryArrayResult, types } from 'pg'
import { isOutage } from '../../../db/outage.ts'
import type { Issued } from '../../../domain/lease.ts'
import { Secret } from '../../../domain/secret.ts'
import { blurred, tls } from './admin.ts'
import type { ExactSettings } from './exact.ts'

const CONNECT_MS = 3000
/** For the server to hang up. */
const GOODBYE_MS = 1000

export interface Rows {
  /** `SELECT`, `INSERT` … */
  readonly command: string
  /** Read or changed, as the server counts; `null` for what it does not count. */
  readonly rowCount: number | null
  /** Types by their names in PostgreSQL; by number, those that are no built-in ones. */
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** Each value in PostgreSQL's own text form. */
  readonly rows: readonly (readonly (string | null)[])[]
}

/** The server's no to a statement. Its words are for whoever sent the statement, and for nobody's log. */
export interface Refused {
  readonly sqlstate: string
  readonly message: string
  /** Characters into the statement, from 1. */
  readonly position: number | null
}

/** More than may be passed on. The statement has run all the same. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge'
}

/**
 * By the extended protocol, which takes one statement and no more. What is cut is cut at the socket;
 * ending the login ends what runs there.
 *
 * @throws TooLarge; DOMException `TimeoutError` when nobody answered; Error without a word of the
 *   target's when the connection did not hold
 */
export async function runStatement(
  { credential }: Issued,
  settings: ExactSettings,
  statement: string,
  signal: AbortSignal,
): Promise<Rows | Refused> {
  const { username, password } = credential
  if (typeof username !== 'string' || !(password instanceof Secret)) {
    throw new TypeError('a login without its password')
  }
  signal.throwIfAborted()
  const socket = new Socket()
  const client = new Client({
    ...{ host: settings.host, port: settings.port, database: settings.database },
    ...{ user: username, password: password.reveal(), application_name: 'procura-exact' },
    ...{ connectionTimeoutMillis: CONNECT_MS, stream: () => socket },
    ssl: settings.sslmode === 'verify-full' && tls(settings),
  })
  client.on('error', () => undefined) // The query that a broken connection stops says so itself.
  const cut = () => {
    socket.destroy()
  }
  signal.addEventListener('abort', cut)
  try {
    await client.connect()
    return answerOf(await run(client, statement, settings.answer_bytes_max))
  } catch (error) {
    if (error instanceof TooLarge) throw error
    // What ends the session is no answer to the statement.
    if (error instanceof DatabaseError && error.severity === 'ERROR') return refusedOf(error)
    throw isLate(error) ? new DOMException('no answer', 'TimeoutError') : blurred(error)
  } finally {
    const late = setTimeout(cut, GOODBYE_MS)
    await client.end().catch(cut)
    clearTimeout(late)
    signal.removeEventListener('abort', cut)
  }
}

type Result = QueryArrayResult<(string | null)[]>

/** What the driver's types leave out: that a statement without values is prepared all the same. */
const AS_WRITTEN = {
  ...{ rowMode: 'array', queryMode: 'extended' },
  types: { getTypeParser: () => (value: string | Buffer) => value.toString() },
}

/** The driver holds a value whole before it tells of it, so that octets are counted as they arrive. */
function run(client: Client, text: string, bytesMax: number): Promise<Result> {
  return new Promise((resolve, reject) => {
    const query = new Query<(string | null)[], []>({ text, ...AS_WRITTEN })
    const { stream } = client.connection // Within TLS, where there is TLS.
    let bytes = 0
    stream.prependListener('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= bytesMax) return
      reject(new TooLarge('the answer is longer than may be passed on'))
      stream.destroy()
    })
    query.on('row', (row, result) => {
      result?.addRow(row)
    })
    query.on('error', reject)
    query.on('end', (result) => {
      resolve(result)
    })
    client.query(query)
  })
}

const NAMES = new Map<number, string>(
  Object.entries(types.builtins).map(([name, oid]) => [oid, name.toLowerCase()]),
)

function answerOf({ command, rowCount, fields, rows }: Result): Rows {
  const columns = fields.map(({ name, dataTypeID }) => ({
    name,
    type: NAMES.get(dataTypeID) ?? String(dataTypeID),
  }))
  return { command, rowCount, columns, rows }
}

const isLate = (error: unknown) => isOutage(error) && /timeout|ETIMEDOUT/i.test(String(error))

function refusedOf({ code = 'XX000', message, position }: DatabaseError): Refused {
  return { sqlstate: code, message, position: position === undefined ? null : Number(position) }
}
