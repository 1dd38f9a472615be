/** The wall between deciding and delivering, where it stands without our code: in CI and in the database. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Client } from 'pg'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Role } from '../../src/db/connect.ts'
import { tree } from '../fakes/tree.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { readRoot, ROOT } from './lockfile.ts'
import { run } from './npm.ts'

const DENIED = '42501'

describe('in the imports', () => {
  it.each([
    ['a value', "export { key } from '../delivery/cdp.ts'"],
    ['a type', "export type { Key } from '../delivery/cdp.ts'"],
    ['a dynamic import', "export const key = () => import('../delivery/cdp.ts')"],
  ])(
    '[WAL-01] %s that deciding takes through a third module fails CI, which names the path',
    async (_how, between) => {
      const files = {
        'package.json': '{}',
        'src/policy/pdp.ts': "export * from '../domain/between.ts'",
        'src/delivery/cdp.ts': 'export type Key = string; export const key = 1',
      }
      const walls = async (text: string) => {
        const cwd = tree({ ...files, 'src/domain/between.ts': text })
        return await run(
          join(ROOT, 'node_modules', '.bin', 'depcruise'),
          [...ARGUMENTS, join(ROOT, CONFIG)],
          cwd,
        )
      }
      expect(await walls('export const key = 1')).toMatchObject({ code: 0 })
      const { code, stdout } = await walls(between)
      expect(code).not.toBe(0)
      expect(stdout).toMatch(
        /pdp-never-touches-credentials: src\/policy\/pdp\.ts → src\/delivery\/cdp\.ts/,
      )
      expect(stdout).toContain('src/domain/between.ts')
    },
  )

  it('[WAL-01] CI runs that check', () => {
    expect(readRoot('test/run.ts')).toContain(
      `['depcruise', ${[...ARGUMENTS, CONFIG].map((it) => `'${it}'`).join(', ')}]`,
    )
  })
})
const ARGUMENTS = ['src', '--config']
const CONFIG = '.dependency-cruiser.cjs'

describe('in the database', () => {
  let database: TestDatabase
  beforeAll(async () => {
    database = await freshDatabase()
  })

  // All that a side may do. A new table or function fails this until somebody has thought of both sides.
  it.each<[line: string, role: Role, rights: object]>([
    ['WAL-02', 'procura_pdp', DECIDING],
    ['WAL-03', 'procura_cdp', DELIVERING],
  ])('[%s] %s may do this and nothing else', async (_line, role, rights) => {
    expect(await rightsOf(database, role)).toEqual(rights)
  })

  it('[WAL-02] a login of the deciding side reads no secret, and makes or changes no credential', async () => {
    const login = await aLogin(database, 'procura_pdp')
    expect(await login('select id, state from procura.lease')).toBe('done')
    for (const sql of [
      'select ciphertext from procura.connector_secret',
      'select intent from procura.lease',
      'select * from procura.lease',
      'select downstream_name from procura.lease',
      'select ciphertext from procura.sealed_payload',
      'insert into procura.lease default values',
      `update procura.lease set state = 'active'`,
      'insert into procura.connector_secret default values',
      'delete from procura.connector_secret',
      `select ledger.append_issued('main', 0, array['{}'])`,
      ...WAYS_ROUND,
    ]) {
      expect(await login(sql), sql).toBe(DENIED)
    }
  })

  it('[WAL-03] a login of the delivering side records no decision, answers nobody, and spends nothing', async () => {
    const login = await aLogin(database, 'procura_cdp')
    expect(await login('select target from procura.connector_secret')).toBe('done')
    expect(await login(`select from procura.sealed_secret('main', 'orders', 'cb_')`)).toBe('done')
    for (const sql of [
      `select ledger.append_decided('main', 0, array['{}'])`,
      `select ledger.append_registered('main', 0, array['{}'])`,
      `insert into ledger.leaf values ('main', 0, 'e', 'decision', '{}', '')`,
      'insert into procura.decision default values',
      'insert into procura.approval default values',
      `update procura.approval set status = 'approved'`,
      'update procura.approval set consumed_by = null',
      'insert into procura.budget default values',
      'update procura.budget set used = 0',
      `select procura.debit('main', '[]')`,
      'insert into procura.spent default values',
      'insert into procura.consent default values',
      'insert into procura.policy_set default values',
      'update procura.epoch set value = 0',
      'delete from procura.stop',
      'select ciphertext from procura.connector_secret',
      `select from procura.sealed_secret_to_look('main', 'orders')`,
      ...WAYS_ROUND,
    ]) {
      expect(await login(sql), sql).toBe(DENIED)
    }
  })
})

/** How a login could become more than it is. */
const WAYS_ROUND = [
  ...['procura_owner', 'procura_front', 'procura_ledger', 'procura_reaper'].map(
    (it) => `set role ${it}`,
  ),
  ...['create role mine', 'alter role current_user superuser', 'create schema mine'],
  ...[
    'create table procura.mine ()',
    'create table public.mine ()',
    'alter table procura.lease disable trigger all',
  ],
  ...[`copy procura.migration to program 'true'`, `select pg_read_file('/etc/hostname')`],
]

const APPENDING = ['ledger.holds', 'ledger.turn']
const DECIDING = {
  functions: ['ledger.append_decided', ...APPENDING, 'procura.debit'],
  tables: {
    ...{ agent: 'SELECT', consent: 'SELECT', person: 'SELECT(groups id roles tenant)' },
    ...{ epoch: 'SELECT', migration: 'SELECT', policy_set: 'SELECT', stop: 'SELECT' },
    ...{ decision: 'INSERT, SELECT', request_key: 'INSERT, SELECT', spent: 'INSERT, SELECT' },
    ...{ approval: 'INSERT, SELECT, UPDATE(consumed_by)', budget: 'SELECT, UPDATE(used)' },
    ...{ lease: 'SELECT(decision_id id state tenant)', sealed_payload: 'INSERT' },
    ...{
      delegation: 'SELECT',
      instance: 'SELECT(agent id jkt model tenant)',
      '"freeze"': 'SELECT',
    },
  },
}
const ENDINGS = 'confirmed_dead_at end_reason ended_at event_id expires_at'
const DELIVERING = {
  functions: [
    ...['ledger.append_issued', ...APPENDING],
    ...['procura.begin_refresh', 'procura.canary_called', 'procura.canary_shown'],
    ...['procura.drop_token', 'procura.end_refresh', 'procura.refund_unused'],
    ...['procura.sealed_secret', 'procura.sealed_token', 'procura.store_token'],
  ],
  tables: {
    ...{ epoch: 'SELECT', migration: 'SELECT', stop: 'SELECT' },
    ...{ request_key: 'INSERT, SELECT', sealed_payload: 'INSERT' },
    ...{ agent: 'SELECT(id sponsor tenant)', '"freeze"': 'SELECT' },
    delegation: 'SELECT(agents depth id keys path root tenant)',
    connector_secret: `INSERT, SELECT(key_version target tenant updated_at), UPDATE(ciphertext key_version nonce updated_at wrapped_key)`,
    lease: `INSERT, SELECT, UPDATE(attempts claim claimed_until ${ENDINGS} next_try_at state updated_at)`,
  },
}

/** By table, verbs; of single columns, with their names. And the functions, but triggers'. */
async function rightsOf({ query }: TestDatabase, role: Role) {
  const tables = await query<{ name: string; verb: string; columns: string[] | null }>(
    `select c.oid::regclass::text as name, verb,
       case when has_table_privilege($1, c.oid, verb) then null
         else array(select attname::text from pg_attribute where attrelid = c.oid and attnum > 0
           and verb in ('SELECT', 'INSERT', 'UPDATE') and has_column_privilege($1, c.oid, attnum, verb)
           order by attname) end as columns
     from pg_class c, unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) verb
     where c.relnamespace in ('procura'::regnamespace, 'ledger'::regnamespace, 'public'::regnamespace)
       and c.relkind in ('r', 'v', 'm', 'p', 'f') order by 1, 2`,
    [role],
  )
  const functions = await query<{ name: string }>(
    `select distinct n.nspname || '.' || p.proname as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname in ('procura', 'ledger', 'public') and p.prorettype <> 'trigger'::regtype
       and has_function_privilege($1, p.oid, 'EXECUTE') order by 1`,
    [role],
  )
  const told: Record<string, string> = {}
  for (const { name, verb, columns } of tables) {
    if (columns?.length === 0) continue
    const what = columns === null ? verb : `${verb}(${columns.join(' ')})`
    told[name] = name in told ? `${told[name] ?? ''}, ${what}` : what
  }
  return { functions: functions.map(({ name }) => name), tables: told }
}

/** Somebody who may log in as one side and is nothing else. Answers `done`, or the SQLSTATE. */
async function aLogin({ url, query }: TestDatabase, role: Role) {
  const name = `wal_${randomBytes(6).toString('hex')}`
  const password = randomBytes(12).toString('hex')
  await query(`create role ${name} login noinherit password '${password}'`)
  await query(`grant ${role} to ${name}`)
  const client = new Client(Object.assign(new URL(url), { username: name, password }).href)
  await client.connect()
  await client.query(`set role ${role}`)
  onTestFinished(async () => {
    await client.end()
    await query(`drop role ${name}`)
  })
  return async (sql: string) =>
    await client.query(sql).then(
      () => 'done',
      (error: unknown) => (error as { code?: string }).code,
    )
}
