/** What is at a target, and is nobody's. */
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Silent } from '../../src/delivery/connector.ts'
import { reconcile } from '../../src/delivery/reconcile.ts'
import { until } from './bench.ts'
import { aWorld, issue, ORDERS, stateOf, type World } from './world.ts'

const ORPHAN = `cb_${'a'.repeat(26)}`

describe('what is at a target without a lease', () => {
  it('[I3] is ended, and reported; what has one is left alone', async () => {
    const world = await aWorld()
    const { intent } = await issue(world, ORDERS)
    const minting = await world.redeem(ORDERS)
    await world.cdp.mint(minting)
    world.fake.live.add(ORPHAN)
    const sweeper = world.aSweeper()
    expect(await sweeper.reconcile('orders')).toEqual([ORPHAN])
    expect([...world.fake.live].sort()).toEqual(
      [intent.downstreamName, minting.downstreamName].sort(),
    )
    expect(await sweeper.reconcile('orders')).toEqual([])
    expect(await sweeper.reconcile('payments')).toEqual([])
  })

  it('[I3] is counted at each look while it cannot be ended', async () => {
    const world = await aWorld()
    world.fake.live.add(ORPHAN)
    world.fake.faults.add('refuses to revoke')
    const { look, counted } = aLook(world, world.targets)
    expect([await look(), await look()]).toEqual([[ORPHAN], [ORPHAN]])
    world.fake.faults.clear()
    expect([await look(), await look()]).toEqual([[ORPHAN], []])
    expect(counted()).toBe(3)
    expect(world.troubles).toHaveLength(2)
  })

  it('[I3] is not one that ended, as it should, while it was looked for', async () => {
    const world = await aWorld()
    const { lease } = await issue(world, ORDERS)
    const { look, counted } = aLook(world, endingMeanwhile(world))
    expect(await look()).toEqual([])
    expect(counted()).toBe(0)
    expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'expired' })
  })

  it('[I3] is looked for twice a minute, for one look may fail, and not after the sweeper stopped', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const world = await aWorld()
    const { targets, looks } = aTargetSilentAt(world, 2)
    const sweeper = world.aSweeper(targets)
    sweeper.start()
    await until(() => Promise.resolve(looks() === 1))

    world.fake.live.add(ORPHAN)
    vi.advanceTimersByTime(25_000)
    await until(() => Promise.resolve(world.troubles.length === 1))
    expect(world.fake.live.has(ORPHAN)).toBe(true)
    vi.advanceTimersByTime(25_000)
    await until(() => Promise.resolve(!world.fake.live.has(ORPHAN)))

    await sweeper.stop()
    const before = looks()
    vi.advanceTimersByTime(60_000)
    expect(looks()).toBe(before)
  })
})

/** A look at what is there, and how many orphans were counted in all. */
function aLook({ db, troubles }: World, targets: World['targets']) {
  let orphans = 0
  const meter = {
    count: (name: string) => {
      if (name === 'procura_orphans_total') orphans += 1
    },
  }
  const trouble = (error: unknown) => troubles.push(error)
  const options = { tenant: 'main', pool: db.pool('procura_reaper'), targets, meter, trouble }
  return { look: () => reconcile(options, 'orders'), counted: () => orphans }
}

/** What it says that it has has expired, and is ended before anybody hears of it. */
function endingMeanwhile(world: World) {
  const orders = world.targets.get('orders')
  if (orders === undefined) throw new Error('no target')
  const listOwn: typeof orders.listOwn = async (signal) => {
    const there = await orders.listOwn(signal)
    expect(there).toHaveLength(1)
    expect(await world.aSweeper().sweepOnce(new Date(Date.now() + 61_000))).toBe(1)
    return there
  }
  return new Map([['orders', { ...orders, listOwn }]])
}

/** It cannot be asked what it has when it is asked for that time. */
function aTargetSilentAt({ targets }: World, time: number) {
  const orders = targets.get('orders')
  if (orders === undefined) throw new Error('no target')
  let looks = 0
  const listOwn: typeof orders.listOwn = async (signal) => {
    looks += 1
    if (looks === time) throw new Silent('nobody answers')
    return await orders.listOwn(signal)
  }
  return { targets: new Map([['orders', { ...orders, listOwn }]]), looks: () => looks }
}
