/**
 * A worker: a process of its own, which nobody consented to anything for. It makes a key, says which, and
 * does with what is handed on to that key what it was started for: a login for each statement.
 */
import { Client as Database } from 'pg'
import type { Client } from '../../src/client/client.ts'
import { Refused } from '../../src/client/errors.ts'
import { createRun, placeOfThisProcess } from './agent.ts'
import type { Done, Ready, Result, Work } from './messages.ts'

const run = createRun(placeOfThisProcess())

process.once('message', (work: Work) => {
  answer(work).catch((error: unknown) => {
    console.error(error)
    process.exitCode = 1
    process.disconnect()
  })
})
process.send?.({ kind: 'ready', agent: run.agent, jkt: run.jkt } satisfies Ready)

async function answer({ chain, purpose, statements }: Work): Promise<void> {
  const client = run.client(chain)
  const results: Result[] = []
  for (const statement of statements) results.push(await ask(client, statement, purpose))
  process.send?.({ kind: 'done', results } satisfies Done)
  process.disconnect()
}

/** One statement, one login, given back as soon as it has served. */
async function ask(client: Client, sql: string, purpose: string): Promise<Result> {
  try {
    const answer = await client.requestCredential({
      ...{ tool: 'sql.query', arguments: { sql }, purpose },
      justification: 'the weekly report',
    })
    if (answer.status === 'pending') throw new Error('a person was asked')
    const rows = await query(answer.credential, sql)
    await client.giveBack(answer.id)
    return { statement: sql, rows, refused: null }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { statement: sql, rows: null, refused: `${error.code}: ${error.message}` }
  }
}

async function query(login: Readonly<Record<string, unknown>>, sql: string) {
  const { host, port, database, username: user, password } = login
  const connection = { host, port, database, user, password } as Record<string, string>
  const target = new Database({ ...connection, port: Number(port) })
  await target.connect()
  try {
    const { rows } = await target.query<Record<string, unknown>>(sql)
    return rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)])),
    )
  } finally {
    await target.end()
  }
}
