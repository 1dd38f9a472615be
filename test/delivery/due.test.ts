import { expect, it, onTestFinished, vi } from 'vitest'
import { createBreaker } from '../../src/db/breaker.ts'
import { createPool } from '../../src/db/connect.ts'
import {
  claimDue,
  countDue,
  releaseClaims,
  targetsDue,
  tellLeases,
} from '../../src/delivery/claiming.ts'
import { newId } from '../../src/domain/ids.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { aWorld, issue, now, ORDERS, stop, WHO } from './world.ts'
import { inBatches } from '../pg/batches.ts'

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

/** A lease, and so many like it that run for an hour; as the broker's connections are: by index. */
async function amongMany(count: number) {
  const world = await aWorld()
  const breaker = createBreaker(world.db.url)
  const pool = createPool({ url: world.db.url, role: 'procura_reaper', max: 1, breaker })
  const { lease } = await issue(world, ORDERS)
  await inBatches(count, (from, to) =>
    world.db.query(
      `insert into procura.lease (tenant, id, decision_id, state, connector, target, downstream_name,
       sponsor, agent, instance, consent, jkt, intent, revocation_epoch, issued_at, expires_at)
     select tenant, 'crd_' || n, 'dec_' || n, 'active', connector, target,
       'cb_' || translate(lpad(n::text, 26, 'z'), '0189', 'abcd'), sponsor, agent, instance, consent,
       jkt, intent, revocation_epoch, issued_at, now() + interval '1 h'
     from procura.lease, generate_series($2::int, $3) n where id = $1`,
      [lease.id, from, to],
    ),
  )
  onTestFinished(() => pool.end())
  return { world, pool }
}

it('finds what is due among many that are not', async () => {
  const { pool } = await amongMany(20_000)
  const later = new Date(now().getTime() + 120_000)
  expect(await targetsDue(pool, 'main')).toEqual([])
  expect(await targetsDue(pool, 'main', later)).toEqual(['orders'])
  expect(
    await claimDue(pool, { tenant: 'main', target: 'orders', claim: 'c', limit: 8, now: later }),
  ).toHaveLength(1)
})

it('[REV-02] a stop of very much is told a part at a time, until all are told', async () => {
  const { world, pool } = await amongMany(12_000)
  const due = async () => {
    const at = new Date(now().getTime() + 1000)
    return await countDue(pool, { tenant: 'main', target: 'orders', now: at })
  }
  await stop(world.db, 'sponsor', WHO.sponsor, 2)
  const told: [boolean, number][] = []
  for (let isAll = false; !isAll;) {
    isAll = await tellLeases(pool, 'main')
    told.push([isAll, await due()])
  }
  expect(told).toEqual([
    [false, 5000],
    [false, 10_000],
    [true, 12_001],
  ])
  await stop(world.db, 'sponsor', `${WHO.sponsor}x`, 3)
  expect(await tellLeases(pool, 'main')).toBe(true)
})

it('[REV-02] all parts are told at once, and not one at each look', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const { world } = await amongMany(5001)
  await stop(world.db, 'sponsor', WHO.sponsor, 2)
  const sweeper = world.aSweeper(new Map())
  sweeper.start()
  await expect
    .poll(() => world.db.query<{ epoch: number }>('select epoch from procura.told'))
    .toEqual([{ epoch: 2 }])
  await sweeper.stop()
})

it('gives back what was claimed and not ended, to whoever looks next, and nobody else’s', async () => {
  const world = await aWorld()
  const pool = world.db.pool('procura_reaper')
  await issue(world, ORDERS)
  await issue(world, { ...ORDERS, consent_id: newId('con', now()) })
  const at = { tenant: 'main', target: 'orders', now: new Date(now().getTime() + 61_000) }
  const [mine] = await claimDue(pool, { ...at, claim: 'mine', limit: 1 })
  const [theirs] = await claimDue(pool, { ...at, claim: 'theirs', limit: 1 })
  expect(await claimDue(pool, { ...at, claim: 'late', limit: 8 })).toEqual([])
  await releaseClaims(pool, 'main', [])
  expect(await claimDue(pool, { ...at, claim: 'late', limit: 8 })).toEqual([])
  await releaseClaims(pool, 'main', ['mine'])
  const again = await claimDue(pool, { ...at, claim: 'late', limit: 8 })
  expect(again.map(({ intent }) => intent.lease)).toEqual([mine?.intent.lease])
  expect(theirs?.intent.lease).not.toBe(mine?.intent.lease)
})

it('a decision that is refused is used up once; after that whoever tries is told that it was used', async () => {
  const world = await aWorld()
  const decision = await world.decision({ ...ORDERS, connector: 'vault' })
  const codeOf = async () => {
    const refused = await world.cdp
      .redeem(decision, world.collector.presented)
      .catch((error: unknown) => error)
    return refused instanceof BrokerError ? refused.code : refused
  }
  expect([await codeOf(), await codeOf()]).toEqual(['internal_error', 'decision_stale'])
})

it('a lease is told with what binds it, and whose consent it is', async () => {
  const world = await aWorld()
  const { lease } = await issue(world, ORDERS)
  expect(lease).toMatchObject({ senderConstraint: 'none', consent: WHO.consent })
})
