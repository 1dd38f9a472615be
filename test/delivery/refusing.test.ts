/** A target that refuses to end some of what is due there, for as long as it is asked. */
import { expect, it } from 'vitest'
import { newId } from '../../src/domain/ids.ts'
import { now } from './bench.ts'
import { aWorld, issue, ORDERS, stateOf, stop, type World } from './world.ts'

const ago = (seconds: number) => new Date(now().getTime() - seconds * 1000)

/** So many have expired long ago, and were refused; they are due again before whatever is stopped now. */
async function aRefusal(world: World, count: number) {
  const orders = world.targets.get('orders')
  if (orders === undefined) throw new Error('no target')
  const refused = new Set<string>()
  for (let n = 0; n < count; n += 1) {
    const { intent } = await issue(world, { ...ORDERS, consent_id: newId('con', now()) })
    refused.add(intent.downstreamName)
  }
  const tried: string[] = []
  const revoke: typeof orders.revoke = (name, ...more) => {
    tried.push(name)
    if (refused.has(name)) return Promise.reject(new Error('The target answered 403'))
    return orders.revoke(name, ...more)
  }
  const sweeper = world.aSweeper(new Map([['orders', { ...orders, revoke }]]))
  await world.db.query(`update procura.lease set expires_at = now() - interval '1 hour'`)
  for (let looks = 0; tried.length < count; looks += 1) {
    expect(looks).toBeLessThan(count / 8)
    await sweeper.sweepOnce(ago(600))
  }
  return { sweeper, tried }
}

it('what was stopped is ended at the next look, whatever the target refuses that was due before it', async () => {
  const world = await aWorld()
  const { sweeper, tried } = await aRefusal(world, 32)
  const consent = newId('con', now())
  const stopped = []
  for (let n = 0; n < 10; n += 1)
    stopped.push(await issue(world, { ...ORDERS, consent_id: consent }))
  await stop(world.db, 'consent', consent)

  expect(await sweeper.sweepOnce()).toBe(10)
  for (const { lease } of stopped)
    expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'revoked' })
  // Those go on being tried, each in its turn, and no more often for that.
  expect(tried).toHaveLength(32 + 24 + 10)
  expect(new Set(tried).size).toBe(32 + 10)
})

it('a target that refuses what was stopped as well is asked for one more round at a look', async () => {
  const world = await aWorld()
  const { sweeper, tried } = await aRefusal(world, 16)
  const consent = newId('con', now())
  for (let n = 0; n < 20; n += 1) await issue(world, { ...ORDERS, consent_id: consent })
  await stop(world.db, 'consent', consent)
  world.fake.faults.add('refuses to revoke')
  const before = tried.length
  expect(await sweeper.sweepOnce()).toBe(0)
  expect(tried).toHaveLength(before + 16)
})
