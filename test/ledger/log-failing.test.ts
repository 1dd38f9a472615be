/** What fails in a turn: how often works are done for it, who is told what, and what is on record. */
import { randomBytes } from 'node:crypto'
import type { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { bySystem } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Tx } from '../../src/domain/tx.ts'
import { createLog, type LogOptions } from '../../src/ledger/log.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { aSettled } from '../fakes/settled.ts'
import { between } from '../pg/between.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))
const change = (name: string): LedgerEntry => ({
  ...{ type: 'admin_change', act: bySystem(name.slice(0, 50)), kind: 'config', name },
  ...{ beforeHash: null, afterHash: null, reasonCode: 'test' },
})
const explained = (name: string): LedgerEntry => ({
  ...{ type: 'explained', act: bySystem(name), settled: aSettled('allow') },
})
const keyOf = (key: string) => ({ caller: 'spn_a', route: 'POST /v1/x', key, fingerprint: 'f' })
const DEADLOCK = `do $$ begin raise exception 'a deadlock' using errcode = '40P01'; end $$`

/** A ledger, and how many turns it has taken. */
async function aLedger(door: LogOptions['door']) {
  const db = await freshDatabase()
  const turns = { count: 0 }
  const counted = (pool: Pool) =>
    between(pool, (query, asked) => {
      if (String(asked[0]).startsWith('begin')) turns.count += 1
      return query(...asked)
    })
  const pool = counted(db.pool(door === 'append_decided' ? 'procura_pdp' : 'procura_front', 1))
  const log = createLog({ tenant: 'main', pool, door, sealer })
  return { db, log, turns }
}

const recorded = async (db: TestDatabase) =>
  (
    await db.query<{ name: string }>(
      `select entry::jsonb ->> 'request_id' as name from ledger.leaf order by index`,
    )
  ).map(({ name }) => name)

/** Of many works, how often the one that was done most often was. */
function counting() {
  const times = new Map<string, number>()
  return {
    note: (name: string) => times.set(name, (times.get(name) ?? 0) + 1),
    most: () => Math.max(...times.values()),
  }
}

const NAMES = Array.from({ length: 20 }, (_, n) => `n-${String(n).padStart(2, '0')}`)

describe('where works register, one after another', () => {
  it('does none for each that stands before one that cannot be appended', async () => {
    const { db, log, turns } = await aLedger('append_registered')
    const { note, most } = counting()
    const names = [...NAMES, 'x'.repeat(40_000)]
    const outcomes = await Promise.allSettled(
      ['before', ...names].map((name) =>
        log.record(null, () => {
          note(name)
          return Promise.resolve({ entries: [change(name)], value: name, answer: null })
        }),
      ),
    )
    expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(1)
    expect(await recorded(db)).toEqual(['before', ...NAMES])
    expect(most()).toBe(2)
    expect(turns.count).toBe(names.length + 2)
  })

  it('does none for each that comes with a key that one before them has', async () => {
    const { db, log } = await aLedger('append_registered')
    const { note, most } = counting()
    const outcomes = await Promise.allSettled(
      NAMES.map((name) =>
        log.record(keyOf('one'), () => {
          note(name)
          return Promise.resolve({ entries: [change(name)], value: name, answer: { name } })
        }),
      ),
    )
    const refused = outcomes.flatMap((it) => (it.status === 'rejected' ? [it as unknown] : []))
    expect(refused).toHaveLength(NAMES.length - 1)
    for (const one of refused) {
      const shown = { retryAfterSeconds: 1 }
      expect(one).toMatchObject({ reason: { code: 'idempotency_in_flight', shown } })
    }
    expect(await recorded(db)).toHaveLength(1)
    expect(most()).toBeLessThanOrEqual(2)
  })

  it('tells who is refused by now that their key was answered meanwhile, and nobody else', async () => {
    const { db, log } = await aLedger('append_registered')
    const first = () =>
      Promise.resolve({ entries: [change('first')], value: null, answer: { name: 'first' } })
    await log.record(keyOf('one'), first)
    const refusing = () => Promise.reject(new BrokerError('decision_stale'))
    const failing = () => Promise.reject(new Error('a bug'))
    const told = async (key: string, work: () => Promise<never>) =>
      await log.record(keyOf(key), work).catch((error: unknown) => error)
    expect(await told('one', refusing)).toMatchObject({ code: 'idempotency_in_flight' })
    expect(await told('two', refusing)).toMatchObject({ code: 'decision_stale' })
    expect(await told('one', failing)).toMatchObject({ message: 'a bug' })
    expect(await recorded(db)).toEqual(['first'])
  })

  it('records nothing either of who has no answer of their own, for what came first under their key', async () => {
    const { db, log } = await aLedger('append_registered')
    const first = () =>
      Promise.resolve({ entries: [change('first')], value: null, answer: { name: 'first' } })
    const tooLate = () =>
      Promise.resolve({ entries: [change('too late')], value: null, answer: null })
    const outcomes = await Promise.allSettled([
      ...[log.record(keyOf('one'), first), log.record(keyOf('one'), tooLate)],
      log.record(keyOf('two'), tooLate),
    ])
    const inFlight = { reason: { code: 'idempotency_in_flight' } }
    expect(outcomes[1]).toMatchObject(inFlight)
    await expect(log.record(keyOf('one'), tooLate)).rejects.toMatchObject(inFlight.reason)
    expect(await recorded(db)).toEqual(['first', 'too late'])
  })

  it('keeps an answer under the key that came with it, and none without a key or an answer', async () => {
    const { db, log } = await aLedger('append_registered')
    const answering = (name: string) => () =>
      Promise.resolve({ entries: [change(name)], value: name, answer: { name } })
    const keys = [null, keyOf('one'), keyOf('two'), keyOf('three'), null]
    const unanswered = async () => ({ ...(await answering('5')()), answer: null })
    await Promise.all([
      ...keys.map((key, n) => log.record(key, answering(String(n)))),
      log.record(keyOf('four'), unanswered),
    ])
    expect(await recorded(db)).toEqual(['0', '1', '2', '3', '4', '5'])
    expect(await log.find(keyOf('two'))).toEqual({ name: '2' })
    expect(await db.query('select from procura.request_key')).toHaveLength(3)
  })
})

describe('a work that has nothing to append', () => {
  const nothing = { entries: [], value: 'done', answer: null }
  const touch = (tx: Tx) =>
    tx.query(`insert into procura.epoch (tenant, kind, value) values ('main', 'policy', 7)`)

  it('is committed', async () => {
    const { db, log } = await aLedger('append_registered')
    const { value } = await log.record(null, async (tx) => {
      await touch(tx)
      return nothing
    })
    expect(value).toBe('done')
    expect(await db.query('select from procura.epoch')).toHaveLength(1)
    expect(await recorded(db)).toEqual([])
  })

  it('is not called done where a statement failed and it said nothing of it', async () => {
    const { db, log } = await aLedger('append_registered')
    const work = log.record(null, async (tx) => {
      await touch(tx)
      await tx.query('select 1 / 0').catch(() => undefined)
      return nothing
    })
    await expect(work).rejects.toMatchObject({ code: 'unavailable' })
    expect(await db.query('select from procura.epoch')).toHaveLength(0)
  })
})

describe('a deadlock', () => {
  it.each(['append_registered', 'append_decided'] as const)(
    'has everybody of its turn tried again together: %s',
    async (door) => {
      const { db, log, turns } = await aLedger(door)
      const { note, most } = counting()
      const entryOf = door === 'append_decided' ? explained : change
      let left = 1
      const works = NAMES.map((name, n) =>
        log.record(null, async (tx) => {
          note(name)
          if (n === 5 && left-- > 0) await tx.query(DEADLOCK)
          return { entries: [entryOf(name)], value: name, answer: null }
        }),
      )
      await Promise.all(works)
      expect(await recorded(db)).toEqual(NAMES)
      expect([turns.count, most()]).toEqual([2, 2])
    },
  )

  it('that comes each time is an outage after three', async () => {
    const { db, log, turns } = await aLedger('append_decided')
    const work = log.record(null, async (tx) => {
      await tx.query(DEADLOCK)
      return { entries: [explained('never')], value: null, answer: null }
    })
    await expect(work).rejects.toMatchObject({
      code: 'unavailable',
      shown: { evaluation: { unavailableInput: 'ledger' } },
    })
    expect(turns.count).toBe(3)
    expect(await recorded(db)).toEqual([])
  })
})
