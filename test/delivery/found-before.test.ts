/** What was at a target when it was first tried to end it, and is not when that is on record: it stays spent. */
import { expect, it } from 'vitest'
import { claimDue } from '../../src/delivery/claiming.ts'
import { createSweeper } from '../../src/delivery/sweep.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { Ledger } from '../../src/domain/ports.ts'
import { unavailable } from '../../src/domain/problems.ts'
import { now } from './bench.ts'
import { aWorld, leaves, ORDERS, spend, stateOf, used, type World } from './world.ts'

const later = (seconds: number) => new Date(now().getTime() + seconds * 1000)

/** Spent, redeemed, and left by a process that died. */
async function aLeftover(world: World, of: JsonObject = ORDERS) {
  const claims = world.claims(of)
  await spend(world.db, claims['jti'] as string)
  return await world.redeem(claims)
}

async function isGivenBack(world: World, { lease }: { readonly lease: string }) {
  expect(await stateOf(world.db, lease)).toMatchObject({ state: 'failed' })
  expect(await leaves(world.db)).toMatchObject([{ event_type: 'issuance_failed' }])
  return (await used(world.db)) === 0
}

/** Its record fails as often as that. */
function aSweeperWithout(world: World, records: number) {
  const pool = world.db.pool('procura_reaper')
  const log = world.aReaper(pool)
  let away = records
  const ledger: Ledger = {
    ...log,
    record: (key, work) =>
      away-- > 0 ? Promise.reject(unavailable('ledger')) : log.record(key, work),
  }
  return createSweeper({ tenant: 'main', pool, ledger, targets: world.targets })
}

it('is not given back where a sweep found it and could not record that, however the tries between went', async () => {
  const world = await aWorld()
  const intent = await aLeftover(world)
  await world.cdp.mint(intent)
  expect(await aSweeperWithout(world, 1).sweepOnce(later(31))).toBe(0)
  expect(world.fake.live.size).toBe(0)
  world.fake.faults.add('cannot be asked to revoke')
  expect(await world.aSweeper().sweepOnce(later(100))).toBe(0)
  world.fake.faults.clear()
  expect(await world.aSweeper().sweepOnce(later(200))).toBe(1)
  expect(await isGivenBack(world, intent)).toBe(false)
})

it('is not given back where something of it was left that an operator removed', async () => {
  const world = await aWorld()
  const intent = await aLeftover(world)
  await world.cdp.mint(intent)
  world.fake.faults.add('still owns something')
  expect(await world.aSweeper().sweepOnce(later(31))).toBe(0)
  world.fake.faults.clear()
  world.fake.live.clear()
  expect(await world.aSweeper().sweepOnce(later(200))).toBe(1)
  expect(await isGivenBack(world, intent)).toBe(false)
})

it('is not given back where a sweeper that died may have found it', async () => {
  const world = await aWorld()
  const intent = await aLeftover(world)
  const at = { tenant: 'main', target: 'orders', limit: 8, claim: 'died', now: later(31) }
  expect(await claimDue(world.db.pool('procura_reaper'), at)).toHaveLength(1)
  expect(await world.aSweeper().sweepOnce(later(100))).toBe(1)
  expect(await isGivenBack(world, intent)).toBe(false)
})

it('is given back where no try found anything, though the target was silent and the ledger away', async () => {
  const world = await aWorld()
  const intent = await aLeftover(world)
  world.fake.faults.add('cannot be asked to revoke')
  expect(await world.aSweeper().sweepOnce(later(31))).toBe(0)
  world.fake.faults.clear()
  expect(await aSweeperWithout(world, 1).sweepOnce(later(100))).toBe(0)
  expect(await world.aSweeper().sweepOnce(later(200))).toBe(1)
  expect(await isGivenBack(world, intent)).toBe(true)
})

it('is given back where every use would have been seen, whoever had begun to end it', async () => {
  const world = await aWorld()
  const intent = await aLeftover(world, {})
  const at = { tenant: 'main', target: 'payments', limit: 8, claim: 'died', now: later(31) }
  expect(await claimDue(world.db.pool('procura_reaper'), at)).toHaveLength(1)
  expect(await world.aSweeper().sweepOnce(later(100))).toBe(1)
  expect(await isGivenBack(world, intent)).toBe(true)
})
