/** Tokens that are kept, over two brokers of one database, with an authorization server that goes wrong. */
import type { Pool } from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { createKeptRows } from '../../../src/delivery/proxy/kept-row.ts'
import type { AuthorizationServer, Wrong } from '../../fakes/authorization-server.ts'
import { freshDatabase, type TestDatabase } from '../../pg/database.ts'
import { askedFor } from '../asked-for.ts'
import { until } from '../bench.ts'
import { stop } from '../world.ts'
import { aKeptTarget, SLOW } from './kept-world.ts'

let db: TestDatabase

beforeAll(async () => {
  db = await freshDatabase()
})

const UNSEEN = { generation: null, failures: null }
const EXPIRED = 'usable_until = now()'
/** As if its claim had lapsed. */
const LAPSED = `claimed_until = now() - interval '1 ms'`
/** The same pool, which tells the name of each statement before it is sent, and when it was answered. */
function watched(pool: Pool, tell: (name: string, isOver: boolean) => void): Pick<Pool, 'query'> {
  const ask = pool.query.bind(pool) as unknown as (query: { name: string }) => Promise<unknown>
  const query = async (asked: { name: string }) => {
    tell(asked.name, false)
    const told = await ask(asked)
    tell(asked.name, true)
    return told
  }
  return { query: query as never }
}
const shown = ({ asked }: AuthorizationServer) => asked.map((form) => form.get('refresh_token'))

describe('a token that is kept', () => {
  it('is asked for once by two brokers with forty calls each, and serves them all', async () => {
    const { server, target, aBroker, wantedFor, change, tokenOf } = await aKeptTarget(db)
    const brokers = [aBroker(), aBroker()]
    await tokenOf(aBroker())
    await change(EXPIRED)
    const leases = await Promise.all(
      Array.from({ length: 80 }, () => askedFor(db, target, { state: 'active' })),
    )
    server.before = () => db.query('select pg_sleep(0.3)')
    const tokens = await Promise.all(
      leases.map(async (lease, n) => {
        const made = brokers[n % 2]?.tokenFor(wantedFor(lease), AbortSignal.timeout(SLOW))
        return (await made)?.token
      }),
    )
    expect(server.asked).toHaveLength(2)
    expect(new Set(tokens).size).toBe(1)
    expect(tokens.every((token) => server.takes(`Bearer ${String(token)}`))).toBe(true)
  })

  it('is used until shortly before it ends, and then each refresh token is shown once', async () => {
    const { server, target, tokenOf, aBroker, change } = await aKeptTarget(db)
    server.expiresIn = 600
    const broker = aBroker()
    const tokens = new Set<string>()
    for (let n = 1; n <= 3; n += 1) {
      for (const _ of [1, 2]) tokens.add((await tokenOf(broker)).token)
      const [row] = await db.query<{ left: number }>(
        `select extract(epoch from usable_until - now())::int as left
         from procura.target_token where target = $1`,
        [target],
      )
      expect(Math.abs((row?.left ?? 0) - 570)).toBeLessThan(10)
      await change(EXPIRED)
    }
    expect([tokens.size, new Set(shown(server)).size, server.asked.length]).toEqual([3, 3, 3])
  })

  it('is not asked for by whoever has looked before another got it, or did not', async () => {
    const { server, target, tokenOf, aBroker, change, wantedFor } = await aKeptTarget(db)
    const rows = createKeptRows(db.pool('procura_cdp', 1), 'main')
    const of = wantedFor(await askedFor(db, target, { state: 'active' }))
    for (const wrong of [null, null, 'refuses'] as const) {
      const seen = await rows.read(of)
      server.wrong = wrong
      await tokenOf(aBroker()).catch(() => undefined)
      await change(EXPIRED)
      const claim = { id: 'late', ms: 15_000 }
      expect(await rows.begin(of, seen, claim)).toMatchObject({ is_begun: false })
    }
    expect(server.asked).toHaveLength(3)
  })

  it('is in no row, and neither is the refresh token', async () => {
    const { server, tokenOf, aBroker } = await aKeptTarget(db)
    await tokenOf(aBroker())
    const rows = await db.query<{ row: string }>(
      'select t::text as row from procura.target_token t',
    )
    for (const secret of server.secrets) {
      const spelled = [secret, Buffer.from(secret).toString('hex')]
      for (const text of spelled) expect(JSON.stringify(rows)).not.toContain(text)
    }
  })

  it('is not used where settings have changed, and not with another stored secret', async () => {
    const { server, target, tokenOf, aBroker, wantedFor, store } = await aKeptTarget(db)
    const broker = aBroker()
    const { token } = await tokenOf(broker)
    const lease = await askedFor(db, target, { state: 'active' })
    const other = { ...wantedFor(lease), settings: 'others' }
    expect((await broker.tokenFor(other, AbortSignal.timeout(SLOW))).token).not.toBe(token)
    await store()
    await tokenOf(broker)
    expect(new Set(shown(server)).size).toBe(3)
  })

  it('that lasts no time serves the call that it was asked for', async () => {
    const { server, tokenOf, aBroker } = await aKeptTarget(db)
    server.expiresIn = 0
    const broker = aBroker()
    await Promise.all([tokenOf(broker), tokenOf(broker), tokenOf(broker)])
    expect(new Set(shown(server)).size).toBe(3)
  })

  it('that the target does not take is asked for anew once, and not if it was made just now', async () => {
    const { server, tokenOf, aBroker, change } = await aKeptTarget(db)
    const [broker, other] = [aBroker(), aBroker()]
    const first = await tokenOf(broker)
    await first.notTaken()
    const again = await tokenOf(other)
    expect(again.token).toBe(first.token)
    await change(`made_at = now() - interval '2 min'`)
    await Promise.all([first.notTaken(), again.notTaken()])
    const next = await Promise.all([tokenOf(broker), tokenOf(other)])
    await change(`made_at = now() - interval '2 min'`)
    await first.notTaken() // Late: by now there is another.
    expect((await tokenOf(broker)).token).toBe(next[0].token)
    expect([next[0].token === next[1].token, server.asked.length]).toEqual([true, 2])
  })
})

describe('an answer that is lost', () => {
  it('is asked for again with the same refresh token, where the server takes it', async () => {
    const { server, tokenOf, aBroker } = await aKeptTarget(db)
    server.isPatient = true
    server.wrong = 'lost'
    await expect(tokenOf(aBroker())).rejects.toMatchObject({ effect: 'unknown' })
    server.wrong = null
    const { token } = await tokenOf(aBroker())
    const [first, second] = shown(server)
    expect([first === second, server.takes(`Bearer ${token}`)]).toEqual([true, true])
  })

  it('ends it where the server does not: the words say what to do, and nobody asks again', async () => {
    const { server, target, tokenOf, aBroker, store, troubles, wantedFor } = await aKeptTarget(db)
    server.wrong = 'lost'
    await expect(tokenOf(aBroker())).rejects.toMatchObject({ effect: 'unknown' })
    server.wrong = null
    const fix = expect.stringContaining(`procura target secret ${target}`) as string
    const told = (reason: string) => ({ code: 'downstream_failed', shown: { reason, fix } })
    for (const broker of [aBroker(), aBroker()]) {
      await expect(tokenOf(broker)).rejects.toMatchObject(told('authorization_ended'))
      const lease = await askedFor(db, target, { state: 'active' })
      const known = broker.check(wantedFor(lease))
      await expect(known).rejects.toMatchObject(told('authorization_over'))
    }
    expect(server.asked).toHaveLength(2)
    expect(troubles).toHaveLength(1)
    expect(troubles[0]).toContain('after an answer that was lost')
    expect(troubles[0]).toContain(`\`procura target secret ${target}\``)
    await store()
    expect(server.takes(`Bearer ${(await tokenOf(aBroker())).token}`)).toBe(true)
  })

  it.each(['broken', 'redirects', 'babbles', 'endless', 'refuses', 'no token'] satisfies Wrong[])(
    'or one that is of no use fails whoever waited for it, and nobody after: it %s',
    async (wrong) => {
      const { server, target, tokenOf, aBroker, wantedFor } = await aKeptTarget(db)
      // Each of them: whoever waits reads again and again.
      const haveRead = new Set<number>()
      const brokers = [1, 2, 3, 4].map((n) =>
        aBroker(
          watched(db.pool('procura_cdp', 2), (name, isOver) => {
            if (name === 'token_read' && isOver) haveRead.add(n)
          }),
        ),
      )
      const lease = await askedFor(db, target, { state: 'active' })
      server.wrong = wrong
      server.before = () => until(() => Promise.resolve(haveRead.size === brokers.length))
      const all = await Promise.allSettled(
        brokers.map((it) => it.tokenFor(wantedFor(lease), AbortSignal.timeout(SLOW))),
      )
      const names = all.map((it) => (it.status === 'rejected' ? (it.reason as Error).name : 'made'))
      for (const name of names) expect(['made', 'TimeoutError']).not.toContain(name)
      expect(server.asked).toHaveLength(1)
      server.wrong = null
      expect(server.takes(`Bearer ${(await tokenOf(aBroker())).token}`)).toBe(true)
      // Where there was no access token, there was the next refresh token.
      expect(new Set(shown(server)).size).toBe(wrong === 'no token' ? 2 : 1)
    },
  )

  it('is the end for the settings that it was asked with, and not for others', async () => {
    const { server, tokenOf, aBroker, change } = await aKeptTarget(db)
    await tokenOf(aBroker())
    for (const [settings, isOver] of [
      ['others', false],
      ['as they are', true],
    ] as const) {
      await change(`refused_for = '{${settings}}', ${EXPIRED}`)
      const asked = tokenOf(aBroker())
      if (isOver) await expect(asked).rejects.toMatchObject({ code: 'downstream_failed' })
      else expect(server.takes(`Bearer ${(await asked).token}`)).toBe(true)
    }
    expect(server.asked).toHaveLength(2)
  })

  it('to whoever was killed is waited for, and then asked for by another', async () => {
    const { server, target, tokenOf, aBroker, change, wantedFor } = await aKeptTarget(db)
    const of = wantedFor(await askedFor(db, target, { state: 'active' }))
    const rows = createKeptRows(db.pool('procura_cdp', 1), 'main')
    const claim = { id: 'of the dead', ms: 15_000 }
    expect(await rows.begin(of, UNSEEN, claim)).toMatchObject({ is_begun: true })
    await expect(tokenOf(aBroker(), AbortSignal.timeout(500))).rejects.toThrow('timeout')
    expect(server.asked).toHaveLength(0)
    await change(LAPSED)
    await tokenOf(aBroker())
    expect(server.asked).toHaveLength(1)
  })

  it('to a caller who has left is stored all the same', async () => {
    const { server, tokenOf, aBroker } = await aKeptTarget(db)
    const [broker, left] = [aBroker(), new AbortController()]
    let isAsked = false
    server.before = async () => {
      isAsked = true
      await db.query('select pg_sleep(0.2)')
    }
    const asked = tokenOf(broker, left.signal)
    await until(() => Promise.resolve(isAsked))
    left.abort(new Error('left'))
    await expect(asked).rejects.toThrow('left')
    await broker.settled()
    await tokenOf(aBroker())
    expect(server.asked).toHaveLength(1)
  })

  it('of the database as it was stored is no loss: it is stored when that is back', async () => {
    const { server, tokenOf, aBroker } = await aKeptTarget(db)
    let failures = 3
    const failing = watched(db.pool('procura_cdp', 2), (name, isOver) => {
      if (name !== 'token_store' || isOver || (failures -= 1) < 0) return
      throw Object.assign(new Error('gone'), { code: 'ECONNRESET' })
    })
    const { token } = await tokenOf(aBroker(failing))
    expect([failures, (await tokenOf(aBroker())).token]).toEqual([-1, token])
    expect(server.asked).toHaveLength(1)
  })

  it('that comes when another has asked and stored is not stored over it, and not used', async () => {
    const { server, tokenOf, aBroker, change } = await aKeptTarget(db)
    server.isPatient = true
    let release: (value?: unknown) => void = () => undefined
    let held = false
    server.before = async () => {
      server.before = () => Promise.resolve()
      held = true
      await new Promise((resolve) => {
        release = resolve
      })
    }
    const late = tokenOf(aBroker())
    await until(() => Promise.resolve(held))
    await change(LAPSED)
    const { token } = await tokenOf(aBroker())
    release()
    expect((await late).token).toBe(token)
    expect((await tokenOf(aBroker())).token).toBe(token)
    expect(server.asked).toHaveLength(2)
  })
})

describe('for a lease', () => {
  it('[PRX-19] that was stopped, or is over, nothing is asked', async () => {
    const { server, target, aBroker, wantedFor } = await aKeptTarget(db)
    const stopped = await askedFor(db, target, { state: 'active' })
    const [row] = await db.query<{ id: string }>(
      'select id from procura.lease where downstream_name = $1',
      [stopped],
    )
    await stop(db, 'credential', row?.id ?? '')
    const over = await askedFor(db, target, { state: 'active' })
    await db.query('update procura.lease set expires_at = now() where downstream_name = $1', [over])
    for (const lease of [stopped, over]) {
      const asked = aBroker().tokenFor(wantedFor(lease), AbortSignal.timeout(SLOW))
      await expect(asked).rejects.toMatchObject({ code: 'credential_gone' })
    }
    expect(server.asked).toHaveLength(0)
  })
})
