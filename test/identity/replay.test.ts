import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import { createHouseClock } from '../../src/clock.ts'
import { createReplayStore } from '../../src/identity/replay.ts'
import { createShownProofs } from '../../src/identity/shown-proof.ts'
import { freshDatabase } from '../pg/database.ts'
import { aHolder, proof } from './signing.ts'

const soon = (seconds = 70) => new Date(Date.now() + seconds * 1000)

async function twoReplicas() {
  const db = await freshDatabase()
  const store = () => createReplayStore({ tenant: 'main', pool: db.pool('procura_front', 8) })
  return { db, one: store(), other: store() }
}

describe('what may be presented once', () => {
  it('[DPP-13] [DPP-14] passes once of fifty at the same moment, over two replicas', async () => {
    const { one, other } = await twoReplicas()
    const tries = Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? one : other))
    const passed = await Promise.all(tries.map((store) => store.useUp('jkt', 'a-proof-id', soon())))
    expect(passed.filter(Boolean)).toHaveLength(1)
    expect(await one.useUp('jkt', 'another-id', soon())).toBe(true)
  })

  it("[DPP-17] is not used up by another key's use of the same id", async () => {
    const { one, other } = await twoReplicas()
    expect(await one.useUp('attacker', 'J', soon())).toBe(true)
    expect(await other.useUp('victim', 'J', soon())).toBe(true)
    expect(await other.useUp('victim', 'J', soon())).toBe(false)
  })

  it('[TOK-08] passes as often as it comes for the request that used it up, and for nobody else', async () => {
    const { one, other } = await twoReplicas()
    const names = ['a', 'b', null]
    for (const shift of names.keys()) {
      const asked = Array.from({ length: 60 }, (_, n) => names[(n + shift) % 3] ?? null)
      const use = (by: string | null, n: number) =>
        (n % 2 === 0 ? one : other).useUp('jkt', `J${String(shift)}`, soon(), by)
      const passed = await Promise.all(asked.map(use))
      const winners = asked.filter((_, n) => passed[n])
      expect(new Set(winners).size).toBe(1)
      expect(winners).toHaveLength(winners[0] === null ? 1 : 20)
    }
    expect(await one.useUp('jkt', 'K', soon(), 'a')).toBe(true)
    expect(await other.useUp('jkt', 'K', soon(), 'a')).toBe(true)
    for (const by of ['b', null]) {
      expect(await other.useUp('jkt', 'K', soon(), by)).toBe(false)
    }
    expect(await one.useUp('jkt', 'L', soon())).toBe(true)
    expect(await one.useUp('jkt', 'L', soon(), 'a')).toBe(false)
  })

  it('[DPP-15] is remembered until no clock could accept a copy, and then forgotten', async () => {
    const { db, one } = await twoReplicas()
    await one.useUp('jkt', 'long-over', soon())
    await one.isBoundTo('hash', 'jkt', soon())
    for (const table of ['used_proof', 'assertion']) {
      await db.query(`update procura.${table} set expires_at = expires_at - interval '190 seconds'`)
    }
    await one.useUp('jkt', 'expired-just-now', soon(-1))
    expect(await one.prune()).toBe(2)
    expect(await one.useUp('jkt', 'expired-just-now', soon())).toBe(false)
    expect(await one.useUp('jkt', 'long-over', soon())).toBe(true)
    expect(await db.query('select count(*)::int as n from procura.used_proof')).toEqual([{ n: 2 }])
  })

  it('is not taken where it is over by the clock of the database: it may be forgotten', async () => {
    const { one } = await twoReplicas()
    await one.useUp('jkt', 'first', soon())
    const [late, fresh, other] = await Promise.allSettled([
      one.useUp('jkt', 'J', soon(-30)),
      one.useUp('jkt', 'J', soon()),
      one.useUp('jkt', 'K', soon(-1)),
    ])
    expect(late).toMatchObject({ status: 'rejected', reason: { message: 'expired' } })
    expect([fresh, other]).toMatchObject([{ value: true }, { value: true }])
    expect(await one.useUp('jkt', 'J', soon())).toBe(false)
  })

  it('is taken once where the clock of one broker stood still, and what was used is forgotten', async () => {
    const { db, one } = await twoReplicas()
    const pool = db.pool('procura_front')
    const local = () => new Date()
    const elapsed = { ms: 200_000 }
    const house = await createHouseClock(pool, local, () => elapsed.ms)
    const shown = createShownProofs({ tenant: 'main', pool, clock: house.now })
    const holder = aHolder()
    const about = { method: 'POST', url: 'https://shop.example/', token: 't' }
    const show = (sent: string) =>
      shown({
        ...{ proof: sent, usedBy: null, jkt: holder.jkt },
        htm: 'POST',
        htu: about.url,
        token: 't',
      })
    await show(proof(holder, { ...about, now: house.now() }))

    elapsed.ms -= 131_000 // For so long its machine slept.
    const claims = { jti: 'used-before' }
    const used = proof(holder, { ...about, now: house.now() }, { claims })
    await one.useUp(holder.jkt, claims.jti, soon())
    await db.query(`update procura.used_proof set expires_at = expires_at - interval '131 seconds'`)
    expect(await one.prune()).toBe(2)
    const tooOld = { code: 'invalid_dpop_proof', shown: { reason: 'dpop_iat' } }
    await expect(show(used)).rejects.toMatchObject(tooOld)

    await house.check()
    await expect(show(used)).rejects.toMatchObject(tooOld)
    await show(proof(holder, { ...about, now: house.now() }))
  })

  it('[TOK-03] binds an assertion to the first key, however many come at once', async () => {
    const { one, other } = await twoReplicas()
    const keys = Array.from({ length: 20 }, (_, n) => `key-${String(n % 4)}`)
    const bound = await Promise.all(
      keys.map((key, n) => (n % 2 === 0 ? one : other).isBoundTo('hash', key, soon())),
    )
    const winners = new Set(keys.filter((_, n) => bound[n]))
    expect(winners.size).toBe(1)
    expect(bound.filter(Boolean)).toHaveLength(5)
  })

  it('[TOK-03] binds no assertion that is over by the clock of the database: it may have been bound', async () => {
    const { db, one, other } = await twoReplicas()
    expect(await one.isBoundTo('hash', 'jkt', soon())).toBe(true)
    await db.query(`update procura.assertion set expires_at = expires_at - interval '140 seconds'`)
    expect(await one.prune()).toBe(1)
    for (const store of [one, other]) {
      await expect(store.isBoundTo('hash', 'thief', soon(-70))).rejects.toThrow('expired')
    }
    expect(await one.isBoundTo('another', 'jkt', soon(-3))).toBe(true)
    expect(await other.isBoundTo('another', 'jkt', soon(-3))).toBe(true)
    expect(await other.isBoundTo('another', 'thief', soon(-3))).toBe(false)
  })

  it('[DPP-25] is never accepted when the store cannot be asked', async () => {
    const closed = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => closed.once('listening', resolve))
    const { port } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    const pool = new Pool({ connectionString: `postgres://x@127.0.0.1:${String(port)}/x` })
    const store = createReplayStore({ tenant: 'main', pool })
    const down = {
      code: 'unavailable',
      shown: { evaluation: { unavailableInput: 'replay_store' } },
    }
    await expect(store.useUp('jkt', 'a-proof-id', soon())).rejects.toMatchObject(down)
    await expect(store.isBoundTo('hash', 'jkt', soon())).rejects.toMatchObject(down)
    await pool.end()
  })
})
