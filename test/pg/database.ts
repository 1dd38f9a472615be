/** Databases of a test's own: a migrated one for the broker, an empty one for it to guard. */
import { randomBytes } from 'node:crypto'
import { Client, Pool } from 'pg'
import { afterAll, inject } from 'vitest'
import { createPool, type Role } from '../../src/db/connect.ts'
import { TEMPLATE, withDatabase } from './global.ts'

type Row = Record<string, unknown>

export interface TestDatabase {
  /** Connects as the superuser: fit for a broker's DATABASE_URL. */
  readonly url: string
  readonly name: string
  /** A pool of that role, ended with the database. */
  readonly pool: (role: Role, max?: number) => Pool
  /** Runs a statement as the superuser; its rows. */
  readonly query: <R extends Row = Row>(sql: string, params?: readonly unknown[]) => Promise<R[]>
  /** Called for you when the file's tests are over. May be called twice. */
  readonly drop: () => Promise<void>
}

export interface TestTarget extends Pick<TestDatabase, 'url' | 'name' | 'query' | 'drop'> {
  /** A role name of this target's own (roles belong to the whole server); dropped with the target. */
  readonly role: (name: string) => string
  /** The same database for another login. */
  readonly urlAs: (user: string, password: string) => string
}

/** What the tests of this file made. vitest loads this module anew for each file. */
const made = new Set<() => Promise<void>>()

afterAll(async () => {
  for (const drop of made) await drop()
})

/** A copy of the migrated template. Tables are found without naming their schema. */
export async function freshDatabase(): Promise<TestDatabase> {
  const { url, name, drop } = await create(`template ${TEMPLATE}`)
  const open = (role: Role | null, max: number) => createPool({ url, role, max, name: 'test' })
  const owner = open(null, 2)
  const pools = [owner]
  return {
    url,
    name,
    pool(role, max = 4) {
      const pool = open(role, max)
      pools.push(pool)
      return pool
    },
    query: queryOf(owner),
    drop: once(async () => {
      for (const pool of pools) if (!pool.ending) await pool.end()
      await drop()
    }),
  }
}

/** An empty database on the same server, for connectors to make logins in. */
export async function freshTarget(): Promise<TestTarget> {
  const { url, name, drop } = await create('template template0')
  const suffix = `_${name.slice(-8)}`
  const owner = new Pool({ connectionString: url, max: 2 })
  // The database may be dropped before they have said goodbye: `end` does not wait for that.
  owner.on('error', (error) => {
    if (!owner.ending) throw error
  })
  return {
    url,
    name,
    role: (base) => `${base}${suffix}`,
    urlAs: (user, password) =>
      Object.assign(new URL(url), { username: user, password: encodeURIComponent(password) }).href,
    query: queryOf(owner),
    drop: once(async () => {
      await owner.end()
      await drop()
      await dropRoles(suffix)
    }),
  }
}

async function create(how: string) {
  const name = `test_${randomBytes(6).toString('hex')}`
  await asAdmin((admin) => admin.query(`create database ${name} ${how}`))
  const drop = () => asAdmin((admin) => admin.query(`drop database ${name} with (force)`))
  return { url: withDatabase(inject('adminUrl'), name), name, drop }
}

async function dropRoles(suffix: string): Promise<void> {
  await asAdmin(async (admin) => {
    const { rows } = await admin.query<{ name: string }>(
      'select quote_ident(rolname) as name from pg_roles where right(rolname, $1) = $2',
      [suffix.length, suffix],
    )
    for (const { name } of rows) await admin.query(`drop role ${name}`)
  })
}

async function asAdmin(work: (admin: Client) => Promise<unknown>): Promise<void> {
  const admin = new Client({ connectionString: inject('adminUrl') })
  await admin.connect()
  await work(admin).finally(() => admin.end())
}

function queryOf(pool: Pool): TestDatabase['query'] {
  return async <R extends Row>(sql: string, params: readonly unknown[] = []) =>
    (await pool.query<R>(sql, [...params])).rows
}

/** Runs at the first call or when the file's tests are over, whichever is earlier; and only then. */
function once(drop: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined
  const first = () => (done ??= drop())
  made.add(first)
  return first
}
