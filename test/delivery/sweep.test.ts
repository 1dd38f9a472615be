import { describe, expect, it } from 'vitest'
import { newId } from '../../src/domain/ids.ts'
import { createTargets, type Target } from '../../src/delivery/targets.ts'
import { now, until, WHO } from './bench.ts'
import { aWorld, issue, leaves, ORDERS, spend, stateOf, stop, used, type World } from './world.ts'

const inSeconds = (seconds: number, from = Date.now()) => new Date(from + seconds * 1000)
const ended = async ({ db }: World) =>
  (await leaves(db)).filter(({ event_type }) => event_type !== 'issuance')
const isOver = async (world: World, lease: string) => (await stateOf(world.db, lease))?.state

/** Something that is waited for, and done later. */
function aGate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => (open = resolve))
  return {
    opened,
    open: () => {
      open()
    },
  }
}

describe('a sweep', () => {
  it('ends what has expired, at the target and on record, and nothing before', async () => {
    const world = await aWorld()
    const sweeper = world.aSweeper()
    const { lease } = await issue(world, ORDERS)
    expect(await sweeper.sweepOnce()).toBe(0)
    expect(world.fake.live.size).toBe(1)
    expect(await sweeper.sweepOnce(inSeconds(61))).toBe(1)
    expect(world.fake.live.size).toBe(0)
    expect(await isOver(world, lease.id)).toBe('expired')
    expect(await ended(world)).toMatchObject([
      { event_type: 'credential_ended', reason: 'expired', effect: { observed: 'unknown' } },
    ])
    expect(await sweeper.sweepOnce(inSeconds(61))).toBe(0)
  })

  it('ends what has expired also while nobody can be told what was stopped', async () => {
    const world = await aWorld()
    const sweeper = world.aSweeper()
    const { lease } = await issue(world, ORDERS)
    await world.db.query('alter table procura.told rename to gone')
    expect(await sweeper.sweepOnce(inSeconds(61))).toBe(1)
    expect(await isOver(world, lease.id)).toBe('expired')
    expect(world.troubles).toHaveLength(1)
  })

  it('gives back what an unspent token took, as nobody can have used it', async () => {
    const world = await aWorld()
    const claims = world.claims()
    await spend(world.db, claims['jti'] as string)
    await issue(world, claims)
    await world.aSweeper().sweepOnce(inSeconds(61))
    expect(await used(world.db)).toBe(0)
    const [leaf] = await ended(world)
    expect(leaf).toMatchObject({ reason: 'expired', budgets: [{ debited: -1, used_after: 0 }] })
  })

  it('[REV-01] ends what was stopped, and leaves the others', async () => {
    const world = await aWorld()
    const consent = newId('con', now())
    const { lease } = await issue(world, ORDERS)
    const other = await issue(world, { ...ORDERS, consent_id: consent })
    await stop(world.db, 'consent', WHO.consent)
    expect(await world.aSweeper().sweepOnce()).toBe(1)
    expect([...world.fake.live]).toEqual([other.intent.downstreamName])
    expect(await isOver(world, lease.id)).toBe('revoked')
    expect(await ended(world)).toMatchObject([
      {
        event_type: 'remediation',
        remediation: { target: { kind: 'credential', id: lease.id }, outcome: 'confirmed' },
      },
    ])
  })

  it('[F06] ends what a process was making when it died, whether it was made or not', async () => {
    const world = await aWorld()
    const before = Date.now()
    const made = await world.redeem(ORDERS)
    const claims = world.claims(ORDERS)
    await spend(world.db, claims['jti'] as string)
    const unmade = await world.redeem(claims)
    await world.cdp.mint(made)
    expect(await world.aSweeper().sweepOnce(inSeconds(29, before))).toBe(0)
    expect(await world.aSweeper().sweepOnce(inSeconds(31))).toBe(2)
    expect(world.fake.live.size).toBe(0)
    for (const { lease } of [made, unmade]) expect(await isOver(world, lease)).toBe('failed')
    const reasons = (await ended(world)).map(({ reason }) => reason)
    expect(reasons).toEqual(['found_after_crash', 'found_after_crash'])
    expect(await used(world.db)).toBe(0)
  })

  it('[REV-10] tries again, later and later, and is never told that it is over until it is', async () => {
    const world = await aWorld()
    const { lease } = await issue(world, ORDERS)
    world.fake.faults.add('cannot be asked to revoke')
    const sweeper = world.aSweeper()
    const issuedAt = Date.now() // How long a look takes here is no matter.
    let at = 61
    for (let attempts = 1; attempts <= 12; attempts += 1) {
      expect(await sweeper.sweepOnce(inSeconds(at, issuedAt))).toBe(0)
      const row = await stateOf(world.db, lease.id)
      expect(row).toEqual({ state: 'revoke_pending', end_reason: 'expired', attempts })
      expect(await sweeper.sweepOnce(inSeconds(at, issuedAt))).toBe(0) // Not due yet.
      expect(world.fake.revoked).toHaveLength(attempts)
      at += 31
    }
    expect(await ended(world)).toEqual([])
    world.fake.faults.clear()
    expect(await sweeper.sweepOnce(inSeconds(at))).toBe(1)
    expect(await ended(world)).toMatchObject([{ reason: 'expired' }])
  })

  it('leaves a silent target alone but for one that finds out for all; when it is back, all go', async () => {
    const world = await aWorld()
    for (let n = 0; n < 20; n += 1)
      await issue(world, { ...ORDERS, consent_id: newId('con', now()) })
    world.fake.faults.add('cannot be asked to revoke')
    const sweeper = world.aSweeper()
    const issuedAt = Date.now()
    const tried = async (at: number) => {
      const before = world.fake.revoked.length
      await sweeper.sweepOnce(inSeconds(at, issuedAt))
      return world.fake.revoked.length - before
    }
    const [afterAll, whileResting, trial] = [await tried(61), await tried(61.1), await tried(62)]
    expect([afterAll, whileResting, trial]).toEqual([8, 0, 1])
    world.fake.faults.clear()
    expect(await tried(70)).toBe(20)
    expect(world.fake.live.size).toBe(0)
  })

  it('does not take a target for silent that says no: a round is tried at each look, and put off', async () => {
    const world = await aWorld()
    for (let n = 0; n < 20; n += 1)
      await issue(world, { ...ORDERS, consent_id: newId('con', now()) })
    world.fake.faults.add('refuses to revoke')
    const sweeper = world.aSweeper()
    const issuedAt = Date.now()
    for (const tried of [8, 16, 20]) {
      expect(await sweeper.sweepOnce(inSeconds(61, issuedAt))).toBe(0)
      expect(world.fake.revoked).toHaveLength(tried)
    }
    await issue(world, ORDERS)
    world.fake.faults.clear()
    expect(await sweeper.sweepOnce(inSeconds(125))).toBe(21)
  })

  it('[DEL-13] never says of what is gone in part only that it is revoked', async () => {
    const world = await aWorld()
    const { lease } = await issue(world, ORDERS)
    world.fake.faults.add('still owns something')
    await stop(world.db, 'agent', WHO.agent)
    await world.aSweeper().sweepOnce()
    expect(await stateOf(world.db, lease.id)).toMatchObject({
      ...{ state: 'revoke_pending', end_reason: 'revoked' },
    })
    expect(await ended(world)).toEqual([])
  })

  it('keeps on its list what belongs to a target that is not configured any more', async () => {
    const world = await aWorld()
    const { lease } = await issue(world, ORDERS)
    expect(await world.aSweeper(createTargets([], {})).sweepOnce(inSeconds(61))).toBe(0)
    expect(await isOver(world, lease.id)).toBe('revoke_pending')
    expect(await world.aSweeper().sweepOnce(inSeconds(120))).toBe(1)
  })

  it('[F62] by two at once ends a hundred, each once', async () => {
    const world = await aWorld()
    await Promise.all(Array.from({ length: 100 }, () => issue(world, ORDERS)))
    const sweepers = [world.aSweeper(), world.aSweeper()]
    const counts = await Promise.all(sweepers.map((sweeper) => sweeper.sweepOnce(inSeconds(61))))
    expect(counts.reduce((sum, count) => sum + count)).toBe(100)
    expect(world.fake.live.size).toBe(0)
    expect(await ended(world)).toHaveLength(100)
  }, 60_000)

  it('ends what fits in one go eight at once; of a flood two, so that those who ask find room', async () => {
    const world = await aWorld()
    for (let n = 0; n < 4; n += 1)
      await Promise.all(Array.from({ length: 20 }, () => issue(world, ORDERS)))
    const orders = world.targets.get('orders')
    if (orders === undefined) throw new Error('no target')
    const atOnce: number[] = []
    let running = 0
    const counted: Target = {
      ...orders,
      async revoke(...asked) {
        atOnce.push((running += 1))
        await new Promise(setImmediate)
        const revoked = await orders.revoke(...asked)
        running -= 1
        return revoked
      },
    }
    const sweeper = world.aSweeper(new Map([['orders', counted]]))
    expect(await sweeper.sweepOnce(inSeconds(61))).toBe(80)
    expect(Math.max(...atOnce.slice(0, 64))).toBe(8)
    expect(Math.max(...atOnce.slice(64))).toBe(2)
  })

  it('ends what was stopped before the rest of a flood that was due long before it', async () => {
    const world = await aWorld()
    for (let n = 0; n < 6; n += 1)
      await Promise.all(Array.from({ length: 20 }, () => issue(world, ORDERS)))
    await world.db.query(`update procura.lease set expires_at = now() - interval '1 hour'`)
    const stopped = newId('con', now())
    const of = await Promise.all(
      [1, 2, 3].map(() => issue(world, { ...ORDERS, consent_id: stopped })),
    )
    await stop(world.db, 'consent', stopped)
    expect(await world.aSweeper().sweepOnce()).toBe(123)
    const when = of.map(({ intent }) => world.fake.revoked.indexOf(intent.downstreamName))
    expect(Math.min(...when)).toBeGreaterThanOrEqual(64)
    expect(Math.max(...when)).toBeLessThan(72)
  })

  it('[F20] that lost its claim to another writes nothing', async () => {
    const world = await aWorld()
    const { lease } = await issue(world, ORDERS)
    world.fake.faults.add('cannot be asked to revoke')
    await world.aSweeper().sweepOnce(inSeconds(61))

    const { sweeper: slow, paused, resume } = aSlowSweeper(world)
    const zombie = slow.sweepOnce(inSeconds(120))
    await paused
    expect(world.fake.revoked).toHaveLength(1)
    await world.aSweeper().sweepOnce(inSeconds(140)) // Still claimed.
    expect(world.fake.revoked).toHaveLength(1)
    await world.aSweeper().sweepOnce(inSeconds(160)) // Claims it, and puts it off.
    world.fake.faults.clear()
    resume()
    expect(await zombie).toBe(0)
    expect(await isOver(world, lease.id)).toBe('revoke_pending')
    expect(await world.aSweeper().sweepOnce(inSeconds(220))).toBe(1)
    expect(await ended(world)).toHaveLength(1)
  })

  /** One that stops in the middle, with its claim, until it is told to go on. */
  function aSlowSweeper(world: World) {
    const [paused, resumed] = [aGate(), aGate()]
    const orders = world.targets.get('orders')
    if (orders === undefined) throw new Error('no target')
    const revoke = async (name: string, signal: AbortSignal) => {
      paused.open()
      await resumed.opened
      return await orders.revoke(name, signal)
    }
    const sweeper = world.aSweeper(new Map([['orders', { ...orders, revoke }]]))
    return { sweeper, paused: paused.opened, resume: resumed.open }
  }
})

describe('a sweeper that was started', () => {
  it('sweeps by itself, at once when it is poked, through an outage, and not after it stopped', async () => {
    const world = await aWorld()
    const sweeper = world.aSweeper()
    sweeper.start()
    const first = await issue(world, ORDERS)
    await stop(world.db, 'credential', first.lease.id)
    sweeper.poke()
    await until(async () => (await isOver(world, first.lease.id)) === 'revoked')

    await world.db.query('alter table procura.stop rename to gone')
    sweeper.poke()
    await until(() => Promise.resolve(world.troubles.length > 0))
    await world.db.query('alter table procura.gone rename to stop')
    const second = await issue(world, ORDERS)
    await stop(world.db, 'credential', second.lease.id, 2)
    await until(async () => (await isOver(world, second.lease.id)) === 'revoked')

    await sweeper.stop()
    const third = await issue(world, ORDERS)
    await stop(world.db, 'credential', third.lease.id)
    sweeper.poke()
    await sweeper.stop()
    expect(await isOver(world, third.lease.id)).toBe('active')
  })
})
