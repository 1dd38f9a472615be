/** Whose turn it is to ask for the next token, and how long nobody else's. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Pool } from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { claimMsOf, TIMES } from '../../../src/delivery/proxy/refreshing.ts'
import { freshDatabase, type TestDatabase } from '../../pg/database.ts'
import { askedFor } from '../asked-for.ts'
import { until } from '../bench.ts'
import { aKeptTarget, SLOW } from './kept-world.ts'

let db: TestDatabase

beforeAll(async () => {
  db = await freshDatabase()
})

/** A pool that is cut from its database where a token is to be stored, until that many milliseconds after. */
function cutOff(pool: Pool, ms: number): Pick<Pool, 'query'> {
  let until = Infinity
  const ask = pool.query.bind(pool) as unknown as (query: { name: string }) => Promise<unknown>
  const query = (asked: { name: string }) => {
    if (asked.name !== 'token_store') return ask(asked)
    until = Math.min(until, performance.now() + ms)
    if (performance.now() >= until) return ask(asked)
    return Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNRESET' }))
  }
  return { query: query as never }
}

describe('the turn of whoever asks for the next token', () => {
  it('lasts as long as asking may take, and what is before and after it', () => {
    const { paused, ask, store, lastTry } = TIMES
    expect(lastTry).toBeGreaterThanOrEqual(10_000)
    expect(claimMsOf(TIMES)).toBeGreaterThanOrEqual(paused + ask + store + lastTry)
  })

  it('is nobody else’s while its answer is not stored yet: a strict server never ends the grant', async () => {
    const { server, tokenOf, aBroker, troubles } = await aKeptTarget(db)
    // The answer is late, and then the database is away, for longer than it takes to ask again.
    const times = { paused: 500, ask: 1000, store: 2000, lastTry: 500 }
    server.before = () => pause(400)
    const late = tokenOf(aBroker(cutOff(db.pool('procura_cdp', 2), 1600), { times }))
    await until(() => Promise.resolve(server.asked.length === 1))
    const { token } = await tokenOf(aBroker(undefined, { times }))
    expect([(await late).token, server.takes(`Bearer ${token}`)]).toEqual([token, true])
    expect([server.asked.length, troubles]).toEqual([1, []])
  })

  it('is not begun with a secret in whose place another is being stored', async () => {
    const { server, target, tokenOf, aBroker, store, wantedFor } = await aKeptTarget(db)
    const first = await tokenOf(aBroker())
    const client = await db.pool('procura_cdp', 1).connect()
    const { lease } = wantedFor(await askedFor(db, target, { state: 'active' }))
    let isStored = false
    let storing: Promise<unknown>
    try {
      await client.query('begin')
      const begin = `select * from procura.begin_refresh('main', $1, $2, null, 0, 's', 'mine', 9)`
      await client.query(begin, [target, lease])
      storing = store().then(() => (isStored = true))
      const waits = `select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`
      await until(async () => isStored || (await db.query(waits)).length > 0)
      expect(isStored).toBe(false)
    } finally {
      await client.query('commit')
      client.release()
    }
    await storing
    expect((await tokenOf(aBroker())).token).not.toBe(first.token)
    const shown = server.asked.map((form) => form.get('refresh_token'))
    expect(new Set(shown).size).toBe(2)
  })
})

describe('a refresh token', () => {
  it('that is none does not leave the one before in its place, as if it were good', async () => {
    const { server, target, tokenOf, aBroker, troubles } = await aKeptTarget(db)
    const said = { access_token: 'an-access-token', token_type: 'Bearer', refresh_token: 7 }
    server.instead = said
    await expect(tokenOf(aBroker())).rejects.toMatchObject({ effect: 'unknown' })
    expect(troubles).toHaveLength(1)
    expect(troubles[0]).toContain(`\`procura target secret ${target}\``)
    const [row] = await db.query<{ lost: boolean }>(
      `select unanswered_since is not null and ciphertext is null as lost
       from procura.target_token where target = $1`,
      [target],
    )
    expect(row?.lost).toBe(true)
  })

  it('that is refused to two brokers with settings of their own is shown once by each', async () => {
    const { server, target, wantedFor, aBroker, troubles } = await aKeptTarget(db)
    server.revoke()
    const brokers = [aBroker(), aBroker()]
    for (let n = 0; n < 3; n += 1) {
      for (const [at, broker] of brokers.entries()) {
        const lease = await askedFor(db, target, { state: 'active' })
        const wanted = { ...wantedFor(lease), settings: `those of ${String(at)}` }
        const asked = broker.tokenFor(wanted, AbortSignal.timeout(SLOW))
        await expect(asked).rejects.toMatchObject({ code: 'downstream_failed' })
      }
    }
    expect([server.asked.length, troubles.length]).toEqual([2, 2])
  })
})

describe('the address of a token endpoint', () => {
  it('is looked up by whoever asks, and by nobody who has a token', async () => {
    const { server, target, wantedFor, aBroker } = await aKeptTarget(db)
    const broker = aBroker()
    let lookups = 0
    for (let n = 0; n < 3; n += 1) {
      const wanted = wantedFor(await askedFor(db, target, { state: 'active' }))
      const endpoint = () => {
        lookups += 1
        return wanted.endpoint()
      }
      await broker.tokenFor({ ...wanted, endpoint }, AbortSignal.timeout(SLOW))
    }
    expect([lookups, server.asked.length]).toEqual([1, 1])
  })

  it('that cannot be found fails whoever asks, and the next one looks again', async () => {
    const { server, target, wantedFor, tokenOf, aBroker } = await aKeptTarget(db)
    const wanted = wantedFor(await askedFor(db, target, { state: 'active' }))
    const endpoint = () => Promise.reject(new Error('no address'))
    const asked = aBroker().tokenFor({ ...wanted, endpoint }, AbortSignal.timeout(SLOW))
    await expect(asked).rejects.toThrow('no address')
    expect(server.takes(`Bearer ${(await tokenOf(aBroker())).token}`)).toBe(true)
  })
})
