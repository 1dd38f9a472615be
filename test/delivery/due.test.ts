import { expect, it } from 'vitest'
import { createBreaker } from '../../src/db/breaker.ts'
import { createPool } from '../../src/db/connect.ts'
import { claimDue, targetsDue, tellLeases } from '../../src/delivery/claiming.ts'
import { aWorld, issue, now, ORDERS, stop, WHO } from './world.ts'

it.each([
  ['consent', () => WHO.consent],
  ['agent', () => WHO.agent],
  ['instance', () => WHO.instance],
  ['sponsor', () => WHO.sponsor],
  ['credential', (lease: string) => lease],
])('[REV-02] a stop of a lease’s %s makes it due at once, and no other', async (kind, idOf) => {
  const world = await aWorld()
  const pool = world.db.pool('procura_reaper')
  const { lease } = await issue(world, ORDERS)
  await tellLeases(pool, 'main')
  expect(await targetsDue(pool, 'main')).toEqual([])

  await stop(world.db, kind, `${idOf(lease.id)}x`, 1)
  await tellLeases(pool, 'main')
  expect(await targetsDue(pool, 'main')).toEqual([])

  await stop(world.db, kind, idOf(lease.id), 2)
  await tellLeases(pool, 'main')
  expect(await targetsDue(pool, 'main')).toEqual(['orders'])
  const of = { tenant: 'main', target: 'orders', claim: 'c', limit: 8 }
  expect(await claimDue(pool, of)).toMatchObject([{ reason: 'revoked', stop: { kind } }])
  expect(await claimDue(pool, of)).toEqual([])
})

it('finds what is due among many that are not', async () => {
  const world = await aWorld()
  // As the broker's are: by index.
  const breaker = createBreaker(world.db.url)
  const pool = createPool({ url: world.db.url, role: 'procura_reaper', max: 1, breaker })
  const { lease } = await issue(world, ORDERS)
  await world.db.query(
    `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
       sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at)
     select tenant, 'crd_' || n, 'dec_' || n, 'active', connector, target,
       'cb_' || translate(lpad(n::text, 26, 'z'), '0189', 'abcd'), sponsor, agent, instance, consent,
       jkt, intent, revocation_epoch, issued_at, now() + interval '1 h'
     from procura.lease, generate_series(1, 20000) n where id = $1`,
    [lease.id],
  )
  const later = new Date(now().getTime() + 120_000)
  expect(await targetsDue(pool, 'main')).toEqual([])
  expect(await targetsDue(pool, 'main', later)).toEqual(['orders'])
  expect(
    await claimDue(pool, { tenant: 'main', target: 'orders', claim: 'c', limit: 8, now: later }),
  ).toHaveLength(1)
  await pool.end()
})
