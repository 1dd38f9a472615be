import { beforeAll, describe, expect, it } from 'vitest'
import { createCdp } from '../../src/delivery/cdp.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { fileKeyStore } from '../../src/delivery/key-store.ts'
import { createVault, type Secrets } from '../../src/delivery/seal.ts'
import { createSweeper } from '../../src/delivery/sweep.ts'
import { createTargets } from '../../src/delivery/targets.ts'
import { Secret } from '../../src/domain/secret.ts'
import { decided } from './asked-for.ts'
import { aKey, aSigner, until, WHO, HOUSE } from './bench.ts'
import { aPostgresTarget, loginWith, opens, type PostgresTarget } from './postgres-target.ts'
import { aWorld, stateOf, stop, type World } from './world.ts'

let at: PostgresTarget
let world: World
let parts: Awaited<ReturnType<typeof deliveringTo>>
beforeAll(async () => {
  at = await aPostgresTarget()
  world = await aWorld()
  parts = await deliveringTo()
})

/** The delivering side of `world`, with a real target and a real vault. */
async function deliveringTo() {
  const { db, ledger, pool, decisions } = world
  const keys = fileKeyStore(new Secret(aKey()))
  const reaping = db.pool('procura_reaper')
  const secrets = createVault({ tenant: 'main', pool, keys, looks: false })
  await secrets.store('orders', at.password)
  const targetsWith = (opened: Secrets) => {
    const signer = { credentials: aSigner(), owner: 'test', ...HOUSE }
    const kinds = createConnectors({ ...signer, secrets: opened })
    return createTargets(kinds, { orders: at.settings })
  }
  const targets = targetsWith(secrets)
  const looking = createVault({ tenant: 'main', pool: reaping, keys, looks: true })
  const reaper = { tenant: 'main', pool: reaping, ledger, targets: targetsWith(looking) }
  return {
    cdp: createCdp({ tenant: 'main', pool, ledger, decisions, targets }),
    sweeper: createSweeper(reaper),
    targets,
  }
}

/** A login that is issued and on record. */
async function issue(ttl_seconds = 60) {
  const { cdp } = parts
  const signed = await world.decision({
    ...{ target: 'orders', connector: 'postgres', permissions: at.permissions, ttl_seconds },
  })
  const intent = await cdp.redeem(signed, world.collector.presented)
  await decided(world.db, intent)
  const issued = await cdp.mint(intent)
  await world.ledger.record(null, async (tx) => {
    const value = await cdp.activate(tx, intent, issued)
    return {
      entries: [cdp.issuance(intent, issued, world.collector.presented)],
      value,
      answer: null,
    }
  })
  return { intent, issued }
}

describe('a login of a lease', () => {
  it('[DEL-12] lives to its end and no longer: a new session is refused, an open one is ended', async () => {
    const { intent, issued } = await issue(3)
    const session = await loginWith(issued)
    await until(async () => Date.now() > intent.expiresAt.getTime() && !(await opens(issued)))
    expect(await at.sessionsOf(intent.downstreamName)).toBe(1) // Nobody has swept yet.
    expect(await parts.sweeper.sweepOnce()).toBe(1)
    await expect(session.query('select 1')).rejects.toThrow()
    expect(await at.has(intent.downstreamName)).toBe(false)
    expect(await stateOf(world.db, intent.lease)).toMatchObject({ state: 'expired' })
  })

  it('[REV-01] is gone, with its session, once its instance was stopped', async () => {
    const { intent, issued } = await issue()
    const session = await loginWith(issued)
    await stop(world.db, 'credential', intent.lease)
    expect(await parts.sweeper.sweepOnce()).toBe(1)
    await expect(session.query('select 1')).rejects.toThrow()
    expect(await at.has(intent.downstreamName)).toBe(false)
    expect(await stateOf(world.db, intent.lease)).toMatchObject({ state: 'revoked' })
  })

  it('[I3] without a row is found at the target and ended', async () => {
    const { intent } = await issue()
    const { intent: lost } = await issue()
    await world.db.query('delete from procura.lease where id = $1', [lost.lease])
    expect(await parts.sweeper.reconcile('orders')).toEqual([lost.downstreamName])
    expect(await at.has(lost.downstreamName)).toBe(false)
    expect(await at.has(intent.downstreamName)).toBe(true)
    await stop(world.db, 'consent', WHO.consent)
    await parts.sweeper.sweepOnce()
  })

  it('is not looked for where nothing was given for eight days: its secret is not to be had', async () => {
    await world.db.query(`update procura.allowed_at set at = now() - interval '9 d'`)
    expect(await parts.sweeper.reconcile('orders')).toEqual([])
    await world.db.query(`update procura.connector_secret set target = 'another'`)
    await expect(parts.sweeper.reconcile('orders')).rejects.toThrow()
  })
})
