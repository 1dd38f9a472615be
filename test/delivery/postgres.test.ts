import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { NoEffect, PartlyRevoked } from '../../src/delivery/connector.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { within } from '../../src/delivery/deadline.ts'
import { createTargets, type Target } from '../../src/delivery/targets.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { Secret } from '../../src/domain/secret.ts'
import { keepsItsPromises } from '../contract/connector.ts'
import { anIntent, aSigner, now, HOUSE } from './bench.ts'
import { aPostgresTarget, loginWith, type PostgresTarget, works } from './postgres-target.ts'

let at: PostgresTarget
beforeAll(async () => {
  at = await aPostgresTarget()
})

function aTarget(more: object = {}, owner = 'https://broker.example'): Target {
  const secrets = { use: <T>(_: string, work: (s: Secret) => Promise<T>) => work(at.password) }
  const kinds = createConnectors({ credentials: aSigner(), secrets, owner, ...HOUSE })
  const target = createTargets(kinds, { orders: { ...at.settings, ...more } }).get('orders')
  if (target === undefined) throw new Error('no target')
  return target
}

function orders(permissions: object = {}, of: Partial<Intent> = {}): Intent {
  return anIntent({
    ...{ target: 'orders', connector: 'postgres', senderConstraint: 'none' },
    permissions: { ...at.permissions, ...permissions },
    ...of,
  })
}

const issue = (intent: Intent, target = aTarget()) =>
  within(8000, (signal) => target.issue(intent, signal))
const revoke = (name: string, target = aTarget()) =>
  within(8000, (signal) => target.revoke(name, signal))

describe('the postgres connector', () => {
  keepsItsPromises(async () => ({
    target: aTarget(),
    intent: (of) => orders({}, of),
    works,
    exists: at.has,
  }))
})

describe('a minted login, seen from the target', () => {
  it('[DEL-11] reads what it was given and nothing else, writes nothing, makes nothing', async () => {
    const intent = orders()
    const session = await loginWith(await issue(intent))
    expect((await session.query('select note from orders')).rows).toEqual([{ note: 'one' }])
    for (const sql of [
      'select id from payroll',
      "insert into orders values (2, 'two')",
      "set default_transaction_read_only = off; insert into orders values (2, 'two')",
      'create role another',
      `set role ${at.admin}`,
      'set role postgres',
      `set role ${at.write}`,
      `grant ${at.read} to current_user`,
      'create table mine (id int)',
      'create schema mine',
      `alter role ${intent.downstreamName} valid until 'infinity' connection limit 9`,
    ]) {
      await expect(session.query(sql), sql).rejects.toMatchObject({ severity: 'ERROR' })
      await session.query('rollback')
    }
    await session.end()
    await revoke(intent.downstreamName)
  })

  it('[DEL-11] has no attribute that a grant does not give', async () => {
    const intent = orders()
    await issue(intent)
    const [role] = await at.db.query(
      `select rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls as can,
         rolconnlimit as "limit", rolvaliduntil as until, rolconfig as config
       from pg_roles where rolname = $1`,
      [intent.downstreamName],
    )
    expect(role).toMatchObject({ can: false, limit: 1, until: intent.expiresAt })
    expect(role?.['config']).toEqual([
      'default_transaction_read_only=on',
      'statement_timeout=5000',
      'idle_in_transaction_session_timeout=10000',
      'search_path=pg_catalog, public, pg_temp',
    ])
    await revoke(intent.downstreamName)
  })

  it('has one connection, and no second', async () => {
    const intent = orders()
    const issued = await issue(intent)
    const first = await loginWith(issued)
    await expect(loginWith(issued)).rejects.toMatchObject({ code: '53300' })
    await first.end()
    await revoke(intent.downstreamName)
  })

  it('opens no session once its time is over, though nobody has swept', async () => {
    const intent = orders({}, { expiresAt: new Date(now().getTime() - 1000) })
    const issued = await issue(intent)
    await expect(loginWith(issued)).rejects.toMatchObject({ code: '28P01' })
    await revoke(intent.downstreamName)
  })

  it('[DEL-12] loses the session that is open when it is revoked', async () => {
    const intent = orders()
    const session = await loginWith(await issue(intent))
    expect(await at.sessionsOf(intent.downstreamName)).toBe(1)
    expect(await revoke(intent.downstreamName)).toEqual({ found: true })
    await expect(session.query('select 1')).rejects.toThrow()
    expect(await at.sessionsOf(intent.downstreamName)).toBe(0)
  })

  it('[DEL-13] that owns something can do nothing any more, and is not said to be gone', async () => {
    const intent = orders({ read_only: false })
    const issued = await issue(intent)
    const session = await loginWith(issued)
    await session.query('select lo_create(0)')
    for (const _ of ['once', 'again']) {
      await expect(revoke(intent.downstreamName)).rejects.toThrow(PartlyRevoked)
      await expect(loginWith(issued)).rejects.toMatchObject({ severity: 'FATAL' })
      expect(await at.sessionsOf(intent.downstreamName)).toBe(0)
    }
    await at.db.query(`drop owned by ${intent.downstreamName}`)
    expect(await revoke(intent.downstreamName)).toEqual({ found: true })
  })

  it('[DEL-15] cannot have code of its own run by the one who revokes it', async () => {
    const intent = orders({ read_only: false })
    await issue(intent)
    await at.db.query(`create table public.shadowed (by text);
      grant all on public.shadowed to public;
      create function public.pg_terminate_backend(int) returns boolean language sql as
        $$ insert into public.shadowed values (current_user) returning true $$;
      create function public.spy(name, name) returns boolean language plpgsql as
        $$ begin insert into public.shadowed values (current_user); return false; end $$;
      create operator public.= (leftarg = name, rightarg = name, function = public.spy)`)
    expect(await revoke(intent.downstreamName)).toEqual({ found: true })
    expect(await at.db.query('select by from public.shadowed')).toEqual([])
    await at.db.query(`drop operator public.= (name, name); drop function public.spy(name, name);
                       drop table public.shadowed; drop function public.pg_terminate_backend(int)`)
  })

  it('leaves the grants of the tables as they were, after fifty of them', async () => {
    const acl = async () =>
      await at.db.query(`select relacl::text from pg_class where relname = 'orders'`)
    const before = await acl()
    const intents = Array.from({ length: 50 }, () => orders())
    for (let start = 0; start < 50; start += 10) {
      await Promise.all(intents.slice(start, start + 10).map((intent) => issue(intent)))
    }
    expect(await acl()).toEqual(before)
    for (const { downstreamName } of intents) await revoke(downstreamName)
    expect(await acl()).toEqual(before)
  }, 60_000)
})

describe('what the connector refuses to make', () => {
  it.each([
    ['a role that is not configured', () => orders({ roles: ['postgres'] })],
    ['[DEL-08] a name with a quote in it', () => orders({ roles: ['x"; drop role y; --'] })],
    [
      '[DEL-08] a downstream name that is not ours',
      () => orders({}, { downstreamName: 'postgres' }),
    ],
    ['more connections than one', () => orders({ connection_limit: 2 })],
  ])('is %s, with nothing made', async (_what, make) => {
    const intent = make()
    const there = () => at.rolesWith(intent.downstreamName)
    const before = await there()
    await expect(issue(intent)).rejects.toThrow(NoEffect)
    expect(await there()).toEqual(before)
  })

  it('is a login with a prepared role that is not configured for this target', async () => {
    const intent = orders({ roles: [at.write] })
    await expect(issue(intent, aTarget({ group_roles: [at.read] }))).rejects.toThrow(NoEffect)
    expect(await at.has(intent.downstreamName)).toBe(false)
    await issue(intent)
    await revoke(intent.downstreamName)
  })

  it.each([
    ['is absent', () => Promise.resolve('nobody_made_this')],
    ['can log in', () => prepared('login')],
    ['makes roles', () => prepared('nologin createrole')],
    ['passes row security', () => prepared('nologin bypassrls')],
    [
      'reaches further through another',
      async () => {
        const [outer, inner] = [await prepared('nologin'), await prepared('login')]
        await at.db.query(`grant ${inner} to ${outer}`)
        return outer
      },
    ],
  ])('is a login with a prepared role that %s', async (_what, prepare) => {
    const role = await prepare()
    const target = aTarget({ group_roles: [at.read, role] })
    const intent = orders({ roles: [role] })
    await expect(issue(intent, target)).rejects.toThrow(NoEffect)
    expect(await at.has(intent.downstreamName)).toBe(false)
  })

  let made = 0
  async function prepared(attributes: string): Promise<string> {
    made += 1
    const role = at.db.role(`group_${String(made)}`)
    await at.db.query(`create role ${role} ${attributes}; grant ${role} to ${at.admin}
                       with admin option`)
    return role
  }
})

describe('the broker at the target', () => {
  it('[DEL-10] puts no password into the log, though every statement is logged', async () => {
    await at.db.query(`alter role ${at.admin} set log_statement = 'all'`)
    const intent = orders()
    const { credential } = await issue(intent)
    await revoke(intent.downstreamName)
    await at.db.query(`alter role ${at.admin} reset log_statement`)
    const [folder] = await at.db.query<{ data_directory: string }>('show data_directory')
    const log = readFileSync(join(folder?.data_directory ?? '', '..', '..', 'postgres.log'), 'utf8')
    expect(log).toContain(`create role "${intent.downstreamName}"`)
    expect(log).toContain('SCRAM-SHA-256$4096:')
    const password = credential['password'] as Secret
    expect(log).not.toContain(password.reveal())
    expect(log).not.toContain(at.password.reveal())
  })

  it('is no superuser, and from PostgreSQL 16 on gives itself nothing it was not given', async () => {
    const admin = new Client({ connectionString: at.db.urlAs(at.admin, at.password.reveal()) })
    await admin.connect()
    const { rows } = await admin.query<{ rolsuper: boolean; version: number }>(
      `select rolsuper, current_setting('server_version_num')::int as version
       from pg_roles where rolname = current_user`,
    )
    expect(rows[0]?.rolsuper).toBe(false)
    await admin.query('begin')
    const granting = admin.query('grant pg_write_all_data to current_user')
    if ((rows[0]?.version ?? 0) >= 160_000) await expect(granting).rejects.toThrow()
    else await granting // CREATEROLE reaches every role but superusers: docs/connectors/postgres.md
    await admin.query('rollback')
    await admin.end()
  })

  it('says that nothing was made when nobody answers, or the password is wrong', async () => {
    const wrong = { use: <T>(_: string, work: (s: Secret) => Promise<T>) => work(new Secret('no')) }
    const kinds = createConnectors({
      credentials: aSigner(),
      secrets: wrong,
      owner: 'me',
      ...HOUSE,
    })
    const locked = createTargets(kinds, { orders: at.settings }).get('orders')
    for (const target of [aTarget({ port: 1 }), locked]) {
      const error = await issue(orders(), target).catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(NoEffect)
      expect(String(error)).not.toMatch(/password|127\.0\.0\.1/)
    }
  })

  it('[F49] ends what another is making under that name, so that it cannot appear afterwards', async () => {
    const { downstreamName } = orders()
    const maker = new Client({
      connectionString: at.db.urlAs(at.admin, at.password.reveal()),
      application_name: downstreamName,
    })
    maker.on('error', () => undefined)
    await maker.connect()
    await maker.query(`begin; create role ${downstreamName} login`)
    expect(await revoke(downstreamName)).toEqual({ found: false })
    await expect(maker.query('commit')).rejects.toThrow()
    expect(await at.has(downstreamName)).toBe(false)
    await maker.end().catch(() => undefined)
  })

  it('knows its own logins from those of another broker on the same server', async () => {
    const [ours, theirs] = [orders(), orders()]
    await issue(ours)
    await issue(theirs, aTarget({}, 'https://another.example'))
    const own = await within(5000, (signal) => aTarget().listOwn(signal))
    // Other files have theirs at this server.
    expect(own).toContain(ours.downstreamName)
    expect(own).not.toContain(theirs.downstreamName)
    await revoke(ours.downstreamName)
    await revoke(theirs.downstreamName)
  })
})
