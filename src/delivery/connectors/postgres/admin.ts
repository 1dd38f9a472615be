/** One short connection to a target as its admin role: found by name, limited in time, closed for certain. */
import { Socket } from 'node:net'
import { Client, DatabaseError } from 'pg'
import { isBroken } from '../../../db/outage.ts'
import { BrokerError } from '../../../domain/problems.ts'
import { type At, Silent } from '../../connector.ts'
import { isTimeout } from '../../deadline.ts'
import { NotAskedFor, type Secrets } from '../../seal.ts'
import type { Settings } from './settings.ts'

const CONNECT_MS = 3000

/** Nothing that a minted login left in a schema is ever run by us, and nobody's lock holds us up. */
const SESSION = {
  search_path: 'pg_catalog',
  statement_timeout: 4000,
  lock_timeout: 2000,
  idle_in_transaction_session_timeout: 5000,
}
const OPTIONS = Object.entries(SESSION)
  .map(([name, value]) => `-c ${name}=${String(value)}`)
  .join(' ')

export interface Admin {
  readonly secrets: Secrets
  readonly at: At<Settings>
  /** The connection's application_name: whoever has to can find it by that, and end it. */
  readonly label: string
  readonly signal: AbortSignal
}

/** Runs `work` on a connection that does not outlive it. When the signal fires the socket is cut. */
export async function asAdmin<T>(
  { secrets, at, label, signal }: Admin,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const { settings } = at
  return await secrets.use(
    at.name,
    async (secret) => {
      signal.throwIfAborted()
      const socket = new Socket()
      const client = new Client({
        ...{ host: settings.host, port: settings.port, database: settings.database },
        ...{ user: settings.admin_user, password: secret.reveal(), application_name: label },
        ...{ options: OPTIONS, connectionTimeoutMillis: CONNECT_MS, stream: () => socket },
        ssl: settings.sslmode === 'verify-full' && tls(settings),
      })
      client.on('error', () => undefined) // Each query that a broken connection stops says so itself.
      const cut = () => socket.destroy()
      signal.addEventListener('abort', cut)
      try {
        await client.connect()
        return await work(client)
      } finally {
        await client.end().catch(cut)
        signal.removeEventListener('abort', cut)
      }
    },
    at.lease,
  )
}

export const tls = ({ ca }: Settings) => ({
  rejectUnauthorized: true,
  ...(ca !== undefined && { ca }),
})

/** The server said no to a statement, and so to the whole of its transaction. */
export function isRefusal(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.severity === 'ERROR'
}

/** Whether the server refused with this SQLSTATE. */
export function isState(error: unknown, state: string): boolean {
  return error instanceof DatabaseError && error.code === state
}

/** What went wrong, without a word of the driver's or the target's: those may quote what was sent. */
export function blurred(error: unknown): Error {
  if (error instanceof NotAskedFor || error instanceof BrokerError) return error // It never left the house.
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
  const message = `The target: ${/^[A-Z0-9_ a-z]{1,40}$/.test(code) ? code : 'failed'}`
  return isBroken(error) || isTimeout(error) ? new Silent(message) : new Error(message)
}
