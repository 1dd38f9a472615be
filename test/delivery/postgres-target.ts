/** A real PostgreSQL as a target: prepared with the plan that operators run, and seen as a minted login. */
import { randomBytes } from 'node:crypto'
import { Client, type ClientConfig, DatabaseError } from 'pg'
import { afterAll } from 'vitest'
import { scramVerifier } from '../../src/delivery/connectors/postgres/scram.ts'
import { targetPlan } from '../../src/delivery/connectors/postgres/plan.ts'
import type { Issued } from '../../src/domain/lease.ts'
import { Secret } from '../../src/domain/secret.ts'
import { freshTarget, type TestTarget } from '../pg/database.ts'

export type PostgresTarget = Awaited<ReturnType<typeof aPostgresTarget>>

/** @param at a server of a test's own; the run's where it is left out */
export async function aPostgresTarget(at?: TestTarget) {
  const db = at ?? (await freshTarget())
  const [admin, read, write] = [db.role('admin'), db.role('orders_read'), db.role('orders_write')]
  const password = new Secret(randomBytes(24).toString('base64url'))
  const { hostname, port, pathname } = new URL(db.url)
  const database = pathname.slice(1)
  const plan = targetPlan({
    ...{ adminUser: admin, verifier: await scramVerifier(password), database },
    groupRoles: [read, write],
  })
  await db.query(plan)
  await db.query(plan) // It may be run again.
  await db.query(`create table orders (id int primary key, note text);
    create table payroll (id int primary key);
    insert into orders values (1, 'one'); insert into payroll values (1);
    grant select on orders to ${read}; grant select, insert, update on orders to ${write}`)
  afterAll(() => clear(db, admin))

  const settings = {
    ...{ connector: 'postgres', host: hostname, port: Number(port), database },
    ...{ sslmode: 'disable', admin_user: admin, group_roles: [read, write] },
  }
  return {
    ...{ db, settings, password, admin, read, write },
    permissions: {
      ...{ roles: [read], read_only: true, statement_timeout_ms: 5000, connection_limit: 1 },
    },
    /** The login's name at the target, as the superuser sees it. */
    has: async (name: string): Promise<boolean> =>
      (await db.query('select from pg_roles where rolname = $1', [name])).length === 1,
    /** Of that name, prepared here, or a member of what was: others have theirs at the same server. */
    rolesWith: async (name: string) =>
      await db.query(
        `select r.rolname, r.oid from pg_roles r where r.rolname = any ($1) or exists (
           select from pg_auth_members m join pg_roles g on g.oid = m.roleid
           where m.member = r.oid and g.rolname = any ($1)) order by 1`,
        [[name, admin, read, write]],
      ),
    async sessionsOf(name: string): Promise<number> {
      const sql = 'select from pg_stat_activity where usename = $1'
      return (await db.query(sql, [name])).length
    },
  }
}

/** Whatever the tests left alive: roles belong to the server, not to the database that is dropped. */
async function clear(db: TestTarget, admin: string): Promise<void> {
  await db.query(`select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and usename <> current_user`)
  const rows = await db.query<{ name: string }>(
    `select distinct m.member::regrole::text as name from pg_auth_members m
     where m.grantor = $1::regrole and m.member::regrole::text like 'cb\\_%'
     union select r.rolname from pg_roles r join pg_auth_members a on a.roleid = r.oid
     where a.member = $1::regrole and r.rolname like 'cb\\_%'`,
    [admin],
  )
  for (const { name } of rows) {
    await db.query(`drop owned by ${name}; drop role ${name}`)
  }
}

/** A session as the agent would open it. Not ended by itself. */
export async function loginWith({ credential }: Issued): Promise<Client> {
  const { host, port, database, username, password } = credential
  const isLogin = [host, database, username].every((one) => typeof one === 'string')
  if (!isLogin || !(password instanceof Secret)) throw new TypeError('no login was issued')
  const where = { host, port: Number(port), database, user: username } as ClientConfig
  const client = new Client({ ...where, password: password.reveal() })
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** Whether the password still opens a session. One that is open already takes the only place. */
export async function opens(issued: Issued): Promise<boolean> {
  return await loginWith(issued).then(
    (client) => client.end().then(() => true),
    (error: unknown) => error instanceof DatabaseError && error.code === '53300',
  )
}

/** Whether the credential opens a session and can read what it was given. */
export async function works(issued: Issued): Promise<boolean> {
  const client = await loginWith(issued).catch(() => null)
  if (client === null) return false
  const { rows } = await client.query('select id from orders')
  await client.end()
  return rows.length === 1
}
