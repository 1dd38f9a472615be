/** What the schema promises whoever comes to hold one of its roles, asked of the catalogue itself. */
import { beforeAll, expect, it } from 'vitest'
import { ROLES } from '../../src/db/connect.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await freshDatabase()
})
const names = async (sql: string) =>
  (await database.query<{ name: string }>(sql, sql.includes('$1') ? [ROLES] : [])).map(
    ({ name }) => name,
  )

it('no role of ours logs in, makes roles or databases, or is above the rules', async () => {
  expect(
    await names(`select rolname as name from pg_roles where rolname = any($1) order by 1`),
  ).toEqual([...ROLES].sort())
  const above = `select rolname as name from pg_roles where rolname = any($1) and
    (rolsuper or rolcreaterole or rolcreatedb or rolcanlogin or rolbypassrls or rolreplication)`
  expect(await names(above)).toEqual([])
  const members = `select m.member::regrole::text || ' in ' || m.roleid::regrole::text as name
    from pg_auth_members m join pg_roles r on r.oid = m.member where r.rolname = any($1)`
  expect(await names(members), 'none is another').toEqual([])
})

it('what runs with its owner’s rights finds its tables by a path of its own, and not for everybody', async () => {
  const definers = `select p.oid::regprocedure::text as name from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace where n.nspname in ('procura', 'ledger') and p.prosecdef`
  expect((await names(definers)).length).toBeGreaterThan(5)
  const loose = `${definers} and (
    not coalesce(p.proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']
    or exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
      where a.grantee = 0 and p.prorettype <> 'trigger'::regtype))`
  expect(await names(loose)).toEqual([])
  const own = await freshDatabase()
  await own.query(
    `create function procura.loose() returns int language sql security definer as 'select 1'`,
  )
  expect(await own.query(loose), 'one that is loose is seen').toHaveLength(1)
})

it('nobody makes anything in the schema that everybody has', async () => {
  const open = `select nspname || ': ' || a.privilege_type as name from pg_namespace,
    aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
    where nspname in ('public', 'procura', 'ledger') and a.grantee = 0`
  expect(await names(open)).toEqual([])
  const own = await freshDatabase()
  await own.query('grant usage on schema procura to public')
  expect(await own.query(open), 'one that is open is seen').toHaveLength(1)
})

it('the log takes nothing back: each of its tables refuses change, removal and emptying', async () => {
  const verbs = { update: 16, delete: 8, truncate: 32 } // pg_trigger.tgtype
  for (const [verb, bit] of Object.entries(verbs)) {
    const guarded = `select distinct c.relname as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
      where c.relnamespace = 'ledger'::regnamespace and not t.tgisinternal and t.tgenabled <> 'D'
        and t.tgtype & 2 > 0 and t.tgtype & ${String(bit)} > 0 order by 1`
    expect(await names(guarded), verb).toEqual(['checkpoint', 'leaf', 'node'])
  }
})

it('what ends always ends: no end of a lease, consent or approval may be missing or for ever', async () => {
  const ends = await names(
    `select c.relname || '.' || a.attname as name from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace = 'procura'::regnamespace and c.relkind = 'r'
       and a.attname = 'expires_at' and a.attnotnull order by 1`,
  )
  expect(ends).toEqual(
    expect.arrayContaining(['approval.expires_at', 'consent.expires_at', 'lease.expires_at']),
  )
  const all = await names(
    `select c.relname || '.' || a.attname as name from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relnamespace = 'procura'::regnamespace and c.relkind = 'r' and a.attname = 'expires_at' order by 1`,
  )
  expect(ends).toEqual(all)
})
