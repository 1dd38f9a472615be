import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCdp } from '../../src/delivery/cdp.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { createExclusively } from '../../src/delivery/exclusively.ts'
import { fileKeyStore } from '../../src/delivery/key-store.ts'
import { createVault } from '../../src/delivery/seal.ts'
import { createSweeper } from '../../src/delivery/sweep.ts'
import { createTargets } from '../../src/delivery/targets.ts'
import { Secret } from '../../src/domain/secret.ts'
import { type CephRgw, startCephRgw, whyNoCephRgw } from '../parts/ceph-rgw.ts'
import { decided } from './asked-for.ts'
import { type AwsTarget, anAwsTarget, fill, get, storedKeys } from './aws-rgw.ts'
import { OWNER, toRead } from './aws-target.ts'
import { aKey, aSigner, HOUSE, now, until } from './bench.ts'
import { aWorld, stateOf, stop, type World } from './world.ts'

const why = whyNoCephRgw === null ? '' : `, not run: ${whyNoCephRgw}`

let rgw: CephRgw
let at: AwsTarget
let world: World
const time = { ahead: 0 }
const clock = () => new Date(now().getTime() + time.ahead)
let parts: Awaited<ReturnType<typeof deliveringTo>>

/** The delivering side of `world`, with a real target, a real vault, and two replicas that sweep. */
async function deliveringTo() {
  const { db, ledger, pool, decisions } = world
  const keys = fileKeyStore(new Secret(aKey()))
  const sideOf = (of: typeof pool, looks: boolean) => {
    const secrets = createVault({ tenant: 'main', pool: of, keys, looks })
    const kinds = createConnectors({
      ...{ ...HOUSE, clock, credentials: aSigner(), owner: OWNER, secrets },
      exclusively: createExclusively(of),
    })
    const targets = createTargets(kinds, { reports: at.settings })
    return { secrets, options: { tenant: 'main', pool: of, ledger, targets } }
  }
  const { secrets, options } = sideOf(pool, false)
  await secrets.store('reports', new Secret(storedKeys(rgw.admin)))
  const aSweeper = () => createSweeper(sideOf(db.pool('procura_reaper'), true).options)
  return { cdp: createCdp({ ...options, decisions }), sweepers: [aSweeper(), aSweeper()] }
}

const sweep = async () => {
  const ended = await Promise.all(parts.sweepers.map((sweeper) => sweeper.sweepOnce()))
  return ended.reduce((sum, count) => sum + count, 0)
}

/** A session that is issued and on record. */
async function issue(ttl_seconds = 60) {
  const { cdp } = parts
  const signed = await world.decision({
    ...{ target: 'reports', connector: 'aws-sts', permissions: toRead('7'), ttl_seconds },
    sender_constraint: 'none',
  })
  const intent = await cdp.redeem(signed, world.collector.presented)
  await decided(world.db, intent)
  const issued = await cdp.mint(intent)
  await world.ledger.record(null, async (tx) => {
    const value = await cdp.activate(tx, intent, issued)
    const entries = [cdp.issuance(intent, issued, world.collector.presented)]
    return { entries, value, answer: null }
  })
  return { intent, session: at.session(issued) }
}
let epoch = 0
const stopped = async ({ intent }: Awaited<ReturnType<typeof issue>>) => {
  epoch += 1
  await stop(world.db, 'credential', intent.lease, epoch)
}
const stateOfLease = async ({ intent }: Awaited<ReturnType<typeof issue>>) =>
  (await stateOf(world.db, intent.lease))?.state

describe.skipIf(why !== '')(`a session of a lease, at a Ceph RADOS Gateway${why}`, () => {
  beforeAll(async () => {
    rgw = await startCephRgw()
    at = await anAwsTarget(rgw)
    await fill(at.owner, ['7/a'])
    world = await aWorld()
    parts = await deliveringTo()
  })
  afterAll(async () => {
    await rgw.end()
  })

  it('[REV-01] can do nothing any more once it was stopped, and the others can', async () => {
    const [one, other] = [await issue(), await issue()]
    expect(await get(one.session, '7/a')).toBe('ok')
    await stopped(one)
    expect(await sweep()).toBe(1)
    expect(await get(one.session, '7/a')).toBe(403)
    expect(await get(other.session, '7/a')).toBe('ok')
    expect(await stateOfLease(one)).toBe('revoked')
  })

  it('ends by itself, and is then said to be over, without a denial', async () => {
    const short = await issue(3)
    await until(async () => (await get(short.session, '7/a')) === 403)
    await until(async () => {
      await sweep()
      return (await stateOfLease(short)) === 'revoke_pending'
    })
    // AWS may be a minute behind us.
    time.ahead = 61_000
    await world.db.query('update procura.lease set next_try_at = now() where id = $1', [
      short.intent.lease,
    ])
    await until(async () => (await sweep()) === 1)
    time.ahead = 0
    expect(await stateOfLease(short)).toBe('expired')
    expect(await at.denials()).not.toContain(short.intent.downstreamName)
  })

  it('is taken back when its issuance cannot be recorded', async () => {
    const signed = await world.decision({
      ...{ target: 'reports', connector: 'aws-sts', permissions: toRead('7'), ttl_seconds: 60 },
      sender_constraint: 'none',
    })
    const intent = await parts.cdp.redeem(signed, world.collector.presented)
    await decided(world.db, intent)
    const issued = await parts.cdp.mint(intent)
    expect(await get(at.session(issued), '7/a')).toBe('ok')
    await parts.cdp.takeBack(intent, new Error('the ledger is down'))
    expect(await get(at.session(issued), '7/a')).toBe(403)
    expect(await stateOf(world.db, intent.lease)).toMatchObject({ state: 'failed' })
  })

  it('is not lost among forty that two replicas end while the target is down and comes back', async () => {
    const leases = []
    for (let n = 0; n < 40; n += 1) leases.push(await issue(300))
    await rgw.stop()
    for (const lease of leases) await stopped(lease)
    expect(await sweep()).toBe(0)
    for (const lease of leases)
      expect(['active', 'revoke_pending']).toContain(await stateOfLease(lease))
    await rgw.start()
    const since = performance.now()
    while (performance.now() - since < 25_000) {
      await sweep()
      const states = await Promise.all(leases.map(stateOfLease))
      if (states.every((state) => state === 'revoked')) break
    }
    for (const lease of leases) {
      expect(await stateOfLease(lease)).toBe('revoked')
      expect(await get(lease.session, '7/a')).toBe(403)
    }
  }, 60_000)
})
