import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import { bySystem } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createLog } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))
const change = (name: string): LedgerEntry => ({
  type: 'admin_change',
  act: bySystem('test'),
  kind: 'config',
  name,
  beforeHash: null,
  afterHash: null,
  reasonCode: 'test',
})
const written = (name: string) =>
  Promise.resolve({ entries: [change(name)], value: name, answer: null })
const logOf = (db: TestDatabase, max = 4) =>
  createLog({
    tenant: 'main',
    pool: db.pool('procura_front', max),
    door: 'append_registered',
    sealer,
  })

async function leaves(db: TestDatabase) {
  return await db.query<{ index: number; entry: string; same: boolean }>(
    `select index, entry, xmin::text as xmin, (entry::jsonb ->> 'seq')::bigint = index as same
     from ledger.leaf order by index`,
  )
}

describe('the log', () => {
  it('[AUD-06] stays gapless when two writers on one database append at once', async () => {
    const db = await freshDatabase()
    const [one, other] = [logOf(db), logOf(db)]
    const names = Array.from({ length: 400 }, (_, n) => `change-${String(n)}`)
    const recorded = await Promise.all(
      names.map((name, n) => (n % 2 ? one : other).record(null, () => written(name))),
    )
    const rows = await leaves(db)
    expect(rows.map(({ index }) => index)).toEqual(names.map((_, n) => n))
    expect(rows.every(({ same }) => same)).toBe(true)
    expect(new Set(recorded.map(({ index }) => index)).size).toBe(400)
  })

  it('lets concurrent requests share a commit', async () => {
    const db = await freshDatabase()
    const log = logOf(db)
    await Promise.all(
      Array.from({ length: 40 }, (_, n) => log.record(null, () => written(String(n)))),
    )
    const [counted] = await db.query<{ commits: number }>(
      'select count(distinct xmin::text)::int as commits from ledger.leaf',
    )
    expect(counted?.commits).toBeLessThan(10)
  })

  it('records nothing of a work that throws, and everything of those beside it', async () => {
    const db = await freshDatabase()
    const log = logOf(db)
    const spoilt = log.record(null, async (tx) => {
      await tx.query(`insert into procura.epoch (tenant, kind, value) values ('main', 'policy', 7)`)
      throw new Error('thought better of it')
    })
    const [, ...others] = await Promise.allSettled([
      spoilt,
      log.record(null, () => written('one')),
      log.record(null, () => written('two')),
    ])
    await expect(spoilt).rejects.toThrow('thought better of it')
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
    expect(await leaves(db)).toHaveLength(2)
    expect(await db.query('select from procura.epoch')).toHaveLength(0)
  })

  it('has nobody done anew for each that throws behind them', async () => {
    const db = await freshDatabase()
    const log = logOf(db)
    const times = new Map<string, number>()
    const done = (name: string) => {
      times.set(name, (times.get(name) ?? 0) + 1)
      return name.startsWith('bad') ? Promise.reject(new Error(name)) : written(name)
    }
    const names = ['a', 'b', 'bad-1', 'bad-2', 'c', 'bad-3', 'd']
    const outcomes = await Promise.allSettled([
      log.record(null, () => written('before')),
      ...names.map((name) => log.record(null, () => done(name))),
    ])
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(3)
    expect(outcomes.flatMap((it) => ('value' in it ? [it.value.index] : []))).toEqual([
      0, 1, 2, 3, 4,
    ])
    expect([...times.values()].every((many) => many <= 2)).toBe(true)
  })

  it('refuses the one entry that cannot be appended, and records those beside it', async () => {
    const db = await freshDatabase()
    const log = logOf(db)
    const outcomes = await Promise.allSettled([
      log.record(null, () => written('fine')),
      log.record(null, () => written('x'.repeat(40_000))),
      log.record(null, () => written('fine too')),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(outcomes[1]).toMatchObject({ reason: { code: 'unavailable' } })
    expect(await leaves(db)).toHaveLength(2)
  })

  it('[AUD-09] is 503 ledger when the insert of a leaf fails, with nothing of the work left', async () => {
    const db = await freshDatabase()
    const log = logOf(db)
    const work = () => log.record(null, () => written('one'))
    await work()
    await db.query(`create function public.no() returns trigger language plpgsql as
                    $$ begin raise exception 'no'; end $$`)
    await db.query(`create trigger no before insert on ledger.leaf execute function public.no()`)
    await expect(work()).rejects.toMatchObject({
      code: 'unavailable',
      shown: { evaluation: { status: 'not_evaluated', unavailableInput: 'ledger' } },
    })
    await db.query('drop trigger no on ledger.leaf')
    await work()
    expect(await leaves(db)).toHaveLength(2)
  })

  it('refuses an event that belongs to another side', async () => {
    const db = await freshDatabase()
    const pdp = createLog({
      ...{ tenant: 'main', pool: db.pool('procura_pdp'), door: 'append_decided', sealer },
    })
    await expect(pdp.record(null, () => written('not mine'))).rejects.toMatchObject({
      code: 'unavailable',
    })
    expect(await leaves(db)).toHaveLength(0)
  })

  it('tells one answer under a key, and refuses another body under it', async () => {
    const db = await freshDatabase()
    const log = logOf(db)
    const key = { caller: 'spn_a', route: 'POST /v1/agents', key: 'key-0001', fingerprint: 'f1' }
    const work = () => Promise.resolve({ entries: [change('a')], value: 1, answer: { id: 'a' } })
    const outcomes = await Promise.allSettled([log.record(key, work), log.record(key, work)])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await log.find(key)).toEqual({ id: 'a' })
    await expect(log.find({ ...key, fingerprint: 'f2' })).rejects.toMatchObject({
      code: 'idempotency_mismatch',
    })
    expect(await leaves(db)).toHaveLength(1)
  })

  it('[AUD-01] refuses change to its own roles, and to the owner by a trigger', async () => {
    const db = await freshDatabase()
    await logOf(db).record(null, () => written('one'))
    for (const role of ['procura_front', 'procura_pdp', 'procura_cdp', 'procura_ledger'] as const) {
      for (const sql of [
        `update ledger.leaf set entry = 'x'`,
        'delete from ledger.leaf',
        'truncate ledger.leaf',
      ]) {
        await expect(asRole(db, role, sql)).rejects.toMatchObject({ code: '42501' })
      }
    }
    await expect(db.query('delete from ledger.leaf')).rejects.toThrow('is refused')
    await expect(db.query('truncate ledger.leaf')).rejects.toThrow('is refused')
  })
})

async function asRole(db: TestDatabase, role: string, sql: string): Promise<unknown> {
  return await db.query(
    `do $do$ begin execute 'set local role ${role}'; execute $q$${sql}$q$; end $do$`,
  )
}
