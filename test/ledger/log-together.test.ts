import { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import { bySystem } from '../../src/domain/request.ts'
import type { Tx } from '../../src/domain/tx.ts'
import { createLog } from '../../src/ledger/log.ts'
import { aSettled } from '../fakes/settled.ts'
import { between } from '../pg/between.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { count, logOf, sealer, written } from './endings.ts'

/** One of ten, for whoever comes first. */
const take = (tx: Tx, key: string) =>
  tx.each<{ left: number }>(
    {
      name: 'take',
      text: `update public.stock s set amount = amount - 1
             from (select key, min(n) as n from jsonb_to_recordset($1::jsonb) as r (n int, key text)
                   group by key) r
             where s.key = r.key and s.amount > 0 returning r.n, s.amount as left`,
      values: [],
    },
    { key },
  )

async function withStock(amount: number): Promise<TestDatabase> {
  const db = await freshDatabase()
  await db.query('create table public.stock (key text primary key, amount int not null)')
  await db.query(
    'grant all on public.stock to procura_cdp; grant usage on schema public to procura_cdp',
  )
  await db.query(`insert into public.stock values ('a', $1), ('b', 10)`, [amount])
  return db
}

describe('works that are done side by side', () => {
  it('asks each statement once for all of them', async () => {
    const db = await withStock(0)
    const log = logOf(db.pool('procura_cdp', 1))
    await db.query(
      'create sequence public.statements; grant all on public.statements to procura_cdp',
    )
    const counted = {
      name: 'counted',
      text: `with once as materialized (select nextval('public.statements') as at)
             select r.n, once.at from once, jsonb_to_recordset($1::jsonb) as r (n int)`,
      values: [],
    }
    const first = log.record(null, () => Promise.resolve(written(0)))
    const at = await Promise.all(
      Array.from({ length: 20 }, () =>
        log.record(null, async (tx) => written((await tx.each<{ at: number }>(counted, {}))?.at)),
      ),
    )
    await first
    expect(new Set(at.map(({ value }) => value)).size).toBe(1)
    expect(new Set(at.map(({ index }) => index)).size).toBe(20)
  })

  it('lets one that throws take nobody with it, and undoes what it had done', async () => {
    const db = await withStock(10)
    const log = logOf(db.pool('procura_cdp', 1))
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, n) =>
        log.record(null, async (tx) => {
          await tx.query(`update public.stock set amount = amount - 1 where key = 'b'`)
          if (n % 4 === 1) throw new Error('thought better of it')
          return written(n)
        }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(3)
    expect(await db.query(`select amount from public.stock where key = 'b'`)).toEqual([
      { amount: 1 },
    ])
    expect(await count(db)).toBe(9)
  })

  it('[AC-15] gives the last one to one of them, and tells the others what holds by then', async () => {
    const db = await withStock(1)
    const log = logOf(db.pool('procura_cdp', 1))
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, () =>
        log.record(null, async (tx) => {
          if ((await take(tx, 'a')) === null) throw new Error('gone')
          return written('mine')
        }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await db.query(`select amount from public.stock where key = 'a'`)).toEqual([
      { amount: 0 },
    ])
    expect(await count(db)).toBe(1)
  })
})

describe('the same request key at two brokers at once', () => {
  it('is kept by one of them; the other is told to wait, and takes nobody with it', async () => {
    const db = await freshDatabase()
    const [one, other] = [logOf(db.pool('procura_cdp', 1)), logOf(db.pool('procura_cdp', 1))]
    const key = { caller: 'svc', route: 'POST /v1/redemptions', key: 'key-0001', fingerprint: 'f' }
    const keyed = (log: typeof one) =>
      log.record(key, () => Promise.resolve({ ...written('mine'), answer: { id: 'mine' } }))
    const beside = (log: typeof one) => log.record(null, () => Promise.resolve(written('beside')))
    await beside(one)
    const works = [one, other].flatMap((log) => [beside(log), keyed(log), keyed(log), beside(log)])
    const outcomes = await Promise.allSettled(works)
    const refused = outcomes.filter(({ status }) => status === 'rejected')
    expect(refused).toHaveLength(3)
    for (const outcome of refused) {
      expect(outcome).toMatchObject({ reason: { code: 'idempotency_in_flight' } })
    }
    expect(await count(db)).toBe(6)
    expect(await db.query('select from procura.request_key')).toHaveLength(1)
  })
})

it('asks nothing outside a transaction when its beginning could not be sent', async () => {
  const db = await withStock(10)
  const pool = db.pool('procura_cdp', 1)
  const unsent = between(pool, (query, asked) =>
    String(asked[0]).startsWith('begin') ? Promise.reject(new Error('not sent')) : query(...asked),
  )
  const log = logOf(unsent)
  const work = log.record(null, async (tx) => written(await take(tx, 'a')))
  await expect(work).rejects.toMatchObject({ code: 'unavailable' })
  expect(await db.query(`select amount from public.stock where key = 'a'`)).toEqual([
    { amount: 10 },
  ])
})

describe('what is decided side by side', () => {
  it('[AUD-06] is laid down in the order in which it came, which is that of its debits', async () => {
    const db = await freshDatabase()
    const pool = db.pool('procura_pdp', 1)
    const log = createLog({ tenant: 'main', pool, door: 'append_decided', sealer })
    const explained = (n: number): LedgerEntry => ({
      ...{ type: 'explained', act: bySystem(`req-${String(n)}`), settled: aSettled('allow') },
    })
    const first = log.record(null, () => Promise.resolve({ entries: [], value: 0, answer: null }))
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        log.record(null, async (tx) => {
          for (let more = n % 3; more > 0; more -= 1) await tx.query('select 1')
          return { entries: [explained(n)], value: n, answer: null }
        }),
      ),
    )
    await first
    const rows = await db.query<{ id: string }>(
      `select entry::jsonb ->> 'request_id' as id from ledger.leaf order by index`,
    )
    expect(rows.map(({ id }) => id)).toEqual(
      Array.from({ length: 8 }, (_, n) => `req-${String(n)}`),
    )
  })

  it('[F33] waits once for a database that has fallen silent, not once for each statement', async () => {
    const db = await freshDatabase()
    const pool = new Pool({
      ...{ connectionString: db.url, options: '-c role=procura_pdp', max: 1 },
      ...{ pipeline: true, query_timeout: 2000 },
    })
    // As those of brokers: one that breaks after it was given up is nobody's news.
    pool.on('connect', (client) => client.on('error', () => undefined))
    const log = createLog({ tenant: 'main', pool, door: 'append_decided', sealer })
    await pool.query('select 1')
    const began = performance.now()
    const outcomes = await Promise.allSettled(
      [1, 2, 3].map(() =>
        log.record(null, async (tx) => {
          await Promise.all([1, 2].map(() => tx.query('select pg_sleep(10)')))
          return { entries: [], value: null, answer: null }
        }),
      ),
    )
    expect(performance.now() - began).toBeLessThan(3900)
    for (const outcome of outcomes)
      expect(outcome).toMatchObject({ reason: { code: 'unavailable' } })
    await pool.end()
  })
})

describe('a work that goes on after its transaction', () => {
  it('is sent nowhere: not into another transaction, and not into none', async () => {
    const db = await withStock(10)
    const log = logOf(db.pool('procura_cdp'))
    const kept: Tx[] = []
    await log.record(null, async (tx) => {
      kept.push(tx)
      await take(tx, 'a')
      return written(null)
    })
    for (const tx of kept) {
      await expect(tx.query('select 1')).rejects.toThrow('after its transaction')
      await expect(take(tx, 'a')).rejects.toThrow('after its transaction')
    }
    const [row] = await db.query<{ amount: number }>(
      `select amount from public.stock where key = 'a'`,
    )
    expect(row?.amount).toBe(9)
  })
})
