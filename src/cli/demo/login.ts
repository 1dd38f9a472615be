/** A database login as an agent uses it, and the same target as its owner sees it. */
import { Client, DatabaseError } from 'pg'
import type { JsonObject } from '../../domain/json.ts'
import { textIn } from '../member.ts'
import { check } from './tell.ts'

export interface Login {
  readonly username: string
  query(sql: string): Promise<readonly Record<string, unknown>[]>
  /** Whether the target has ended the session. */
  isOver(): boolean
  end(): Promise<void>
}

/** Connects with what was issued: nothing else is known of the target. */
export async function logIn(credential: JsonObject): Promise<Login> {
  const username = textIn(credential, 'username')
  const client = new Client({
    ...{ host: textIn(credential, 'host'), port: Number(credential['port']) },
    ...{ user: username, password: textIn(credential, 'password') },
    database: textIn(credential, 'database'),
    connectionTimeoutMillis: 5000,
  })
  let isOver = false
  client.on('error', () => {
    isOver = true
  })
  client.on('end', () => {
    isOver = true
  })
  await client.connect()
  return {
    username,
    query: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    isOver: () => isOver,
    end: () => client.end(),
  }
}

/** The SQLSTATE that the target refuses this with. */
export async function refusedBy(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt
  } catch (error) {
    if (error instanceof DatabaseError && error.code !== undefined) return error.code
    throw error
  }
  throw new Error('expected the database to refuse it, and it did not')
}

const NO_SUCH_LOGIN = ['28P01', '28000']

/** That what was issued opens nothing any more. */
export async function checkDead(credential: JsonObject): Promise<void> {
  const state = await refusedBy(logIn(credential))
  check(NO_SUCH_LOGIN.includes(state), `the login to be unknown to the target, not ${state}`)
}

/** Asks the target as its superuser would. */
export async function askTarget(
  url: string,
  sql: string,
  params: readonly unknown[] = [],
): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql, [...params])).rows
  } finally {
    await client.end()
  }
}
