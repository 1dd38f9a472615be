/** Whoever comes while another process has the turn: recorded with those who wait for it. */
import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { expect, it } from 'vitest'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import { bySystem } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Tx } from '../../src/domain/tx.ts'
import { createLog } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { aSettled } from '../fakes/settled.ts'
import { between } from '../pg/between.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { ofWaiting, turnOfAnother } from '../pg/turn.ts'

const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))
const decidingLog = (pool: Pool) =>
  createLog({ tenant: 'main', pool, door: 'append_decided', sealer })

/** A ledger whose turn another connection has. */
async function heldBack(role: 'procura_pdp' | 'procura_front' = 'procura_pdp') {
  const db = await freshDatabase()
  const pool = db.pool(role, 2)
  const registering = { tenant: 'main', pool, door: 'append_registered', sealer } as const
  const log = role === 'procura_pdp' ? decidingLog(pool) : createLog(registering)
  return { db, log, ...(await turnOfAnother(db, role)) }
}

const explained = (name: string): LedgerEntry => ({
  ...{ type: 'explained', act: bySystem(name), settled: aSettled('allow') },
})
const writes = (name: string, first?: (tx: Tx) => Promise<unknown>) => async (tx: Tx) => {
  await first?.(tx)
  return { entries: [explained(name)], value: name, answer: null }
}

/** Who is in the ledger, in its order, with the transaction that wrote it. */
const recorded = (db: TestDatabase) =>
  db.query<{ name: string; tx: string; at: string }>(
    `select entry::jsonb ->> 'request_id' as name, xmin::text as tx, entry::jsonb ->> 'recorded_at' as at
     from ledger.leaf order by index`,
  )

it('who comes while the turn is waited for is recorded with the others, behind them', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack()
  const slow = log.record(
    null,
    writes('a', async (tx) => {
      for (let more = 3; more > 0; more -= 1) await tx.query('select 1')
    }),
  )
  const early = [slow, log.record(null, writes('b'))]
  await untilWaiting()
  const late = ['c', 'd', 'e'].map((name) => log.record(null, writes(name)))
  await letGo()
  const all = await Promise.all([...early, ...late])
  expect(all.map(({ value, index }) => [value, index])).toEqual(
    ['a', 'b', 'c', 'd', 'e'].map((name, index) => [name, index]),
  )
  const rows = await recorded(db)
  expect(rows.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(new Set(rows.map(({ tx }) => tx)).size).toBe(1)
})

it('who registers is joined by nobody', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack('procura_front')
  const registers = (name: string) =>
    log.record(null, () => {
      const entry: LedgerEntry = { type: 'outage', act: bySystem(name), reason: 'test', count: 1 }
      return Promise.resolve({ entries: [entry], value: name, answer: null })
    })
  const early = registers('early')
  await untilWaiting()
  const late = registers('late')
  await letGo()
  await Promise.all([early, late])
  const rows = await recorded(db)
  expect(rows.map(({ name }) => name)).toEqual(['early', 'late'])
  expect(new Set(rows.map(({ tx }) => tx)).size).toBe(2)
})

it('one of them that throws takes nobody with it, and is told why', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack()
  const early = log.record(null, writes('early'))
  await untilWaiting()
  const thrown = new Error('thought better of it')
  const throwing = log.record(
    null,
    writes('throwing', () => Promise.reject(thrown)),
  )
  const all = Promise.allSettled([early, throwing, log.record(null, writes('late'))])
  await letGo()
  expect((await all)[1]).toEqual({ status: 'rejected', reason: thrown })
  const rows = await recorded(db)
  expect(rows.map(({ name, tx }) => [name, tx])).toEqual(
    ['early', 'late'].map((name) => [name, rows[0]?.tx]),
  )
})

it('nobody joins what is spoilt already, and would be done for nothing', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack()
  const throwing = log.record(
    null,
    writes('throwing', () => Promise.reject(new Error('thought better of it'))),
  )
  await untilWaiting()
  let times = 0
  const late = log.record(
    null,
    writes('late', () => Promise.resolve((times += 1))),
  )
  const both = Promise.allSettled([throwing, late])
  await letGo()
  await both
  expect([times, (await recorded(db)).map(({ name }) => name)]).toEqual([1, ['late']])
})

it('each is judged and recorded at one time, from after it came, in one transaction', async () => {
  const db = await freshDatabase()
  const pool = db.pool('procura_pdp', 2)
  const [given, told] = [signalled(), signalled()]
  const log = decidingLog(withLateTurn(pool, given.now, told.at))
  const judged: string[] = []
  const judging = (name: string) =>
    log.record(
      null,
      writes(name, async (tx) => {
        await tx.query('select pg_sleep(0.01)')
        judged.push(tx.now.toISOString())
      }),
    )
  const early = judging('early')
  await given.at
  const [before] = await db.query<{ at: Date }>('select clock_timestamp() as at')
  const late = judging('late')
  told.now()
  await Promise.all([early, late])
  const rows = await recorded(db)
  expect(rows.map(({ at }) => at)).toEqual(judged)
  expect(new Date(judged[1] ?? '') >= (before?.at ?? NaN)).toBe(true)
  expect(new Set(rows.map(({ tx }) => tx)).size).toBe(1)
})

it('who joins comes behind all others, however many they are', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack()
  await db.query(`create sequence public.came; grant all on public.came to procura_pdp;
    grant usage on schema public to procura_pdp`)
  const counted = {
    name: 'counted',
    text: `select r.n, nextval('public.came')::int as at
           from (select pg_sleep(0.02)) slow, jsonb_to_recordset($1::jsonb) as r (n int)`,
    values: [],
  }
  const record = () =>
    log.record(null, async (tx) => {
      const found = await tx.each<{ at: number }>(counted, {})
      return { entries: [explained(String(found?.at))], value: null, answer: null }
    })
  const early = Array.from({ length: 40 }, record)
  await untilWaiting()
  const late = Array.from({ length: 20 }, record)
  await letGo()
  await Promise.all([...early, ...late])
  const rows = await recorded(db)
  expect(rows.map(({ name }) => Number(name))).toEqual(Array.from({ length: 60 }, (_, n) => n + 1))
  expect(new Set(rows.map(({ tx }) => tx)).size).toBe(1)
})

it('a deadlock is tried again, once for all, and joined by nobody', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack()
  let times = 0
  const early = log.record(
    null,
    writes('early', async (tx) => {
      times += 1
      if (times === 1)
        await tx.query(`do $$ begin raise exception 'x' using errcode = '40P01'; end $$`)
    }),
  )
  const beside = log.record(
    null,
    writes('beside', (tx) => tx.query('select 1')),
  )
  await untilWaiting()
  const late = log.record(null, writes('late'))
  await letGo()
  await Promise.all([early, beside, late])
  const rows = await recorded(db)
  expect(rows.map(({ name }) => name)).toEqual(['early', 'beside', 'late'])
  expect([times, rows[0]?.tx]).toEqual([2, rows[1]?.tx])
  expect(rows[2]?.tx).not.toBe(rows[0]?.tx)
})

function signalled() {
  let now: () => void = () => undefined
  const at = new Promise<void>((resolve) => {
    now = resolve
  })
  return { at, now }
}

/** Calls `given` when a turn was given, and tells whoever waits for it when `told` resolves. */
function withLateTurn(pool: Pool, given: () => void, told: Promise<void>): Pool {
  return between(pool, async (query, asked) => {
    const answer = await query(...asked)
    if (!String(asked[0]).startsWith('begin')) return answer
    given()
    await told
    return answer
  })
}

it('a key that is under way is told to wait, whichever of the two came late', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack()
  const key = { caller: 'run', route: 'POST /v1/credentials', key: 'key-0001', fingerprint: 'f' }
  const keyed = (name: string) =>
    log.record(key, async (tx) => ({ ...(await writes(name)(tx)), answer: { id: name } }))
  const early = keyed('early')
  await untilWaiting()
  const both = Promise.allSettled([early, keyed('late')])
  await letGo()
  expect(await both).toMatchObject([
    { value: { value: 'early' } },
    { reason: { code: 'idempotency_in_flight' } },
  ])
  expect((await recorded(db)).map(({ name }) => name)).toEqual(['early'])
})

it('of a turn that never comes, nobody is worked for, and nobody is left without an answer', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack()
  const early = log.record(null, writes('early'))
  await untilWaiting()
  let isWorkedFor = false
  const late = log.record(
    null,
    writes('late', () => Promise.resolve((isWorkedFor = true))),
  )
  const both = Promise.allSettled([early, late])
  await db.query(ofWaiting('select pg_terminate_backend(pid)'))
  const refused = { reason: { code: 'unavailable' } }
  expect(await both).toMatchObject([refused, refused])
  expect(isWorkedFor).toBe(false)
  await letGo()
  await log.record(null, writes('afterwards'))
  expect((await recorded(db)).map(({ name }) => name)).toEqual(['afterwards'])
})

it('no more are recorded at once than a turn may hold', async () => {
  const { db, log, letGo, untilWaiting } = await heldBack()
  const early = log.record(null, writes('early'))
  await untilWaiting()
  const late = Array.from({ length: 70 }, (_, n) => log.record(null, writes(String(n))))
  await letGo()
  await Promise.all([early, ...late])
  const rows = await recorded(db)
  const last = rows.filter(({ tx }) => tx !== rows[0]?.tx)
  expect([rows.length, last.length, new Set(last.map(({ tx }) => tx)).size]).toEqual([71, 7, 1])
})
