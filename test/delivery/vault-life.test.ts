import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createCdp } from '../../src/delivery/cdp.ts'
import { vault } from '../../src/delivery/connectors/vault.ts'
import { fileKeyStore } from '../../src/delivery/key-store.ts'
import { createVault } from '../../src/delivery/seal.ts'
import { createSweeper } from '../../src/delivery/sweep.ts'
import { createTargets, kindOf } from '../../src/delivery/targets.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { Fault } from '../parts/vault-server.ts'
import { aTestServer } from '../parts/vault.ts'
import { decided } from './asked-for.ts'
import { aKey, until } from './bench.ts'
import { aWorld, stateOf, stop, type World } from './world.ts'

const PATH = 'database/creds/orders'
const { server, part } = await aTestServer()
let world: World
let parts: Awaited<ReturnType<typeof delivering>>
beforeAll(async () => {
  world = await aWorld()
  parts = await delivering()
})
afterAll(() => part.close())
afterEach(() => {
  server.faults.clear()
})

/** The delivering side with a real vault of its own, at the protocol-true test server. */
async function delivering() {
  const { db, ledger, pool, decisions } = world
  const keys = fileKeyStore(new Secret(aKey()))
  const sideWith = (of: typeof pool, looks: boolean) => {
    const secrets = createVault({ tenant: 'main', pool: of, keys, looks })
    const kinds = [kindOf(vault({ secrets, owner: 'test' }))]
    return { secrets, targets: createTargets(kinds, { orders: part.settings }) }
  }
  const reaping = db.pool('procura_reaper')
  const side = sideWith(pool, false)
  await side.secrets.store('orders', part.secret)
  const common = { tenant: 'main', ledger }
  return {
    cdp: createCdp({ ...common, pool, decisions, targets: side.targets }),
    sweeper: createSweeper({ ...common, pool: reaping, targets: sideWith(reaping, true).targets }),
  }
}

async function redeemed() {
  const permissions = { path: PATH, method: 'read', data: {}, wrap: false }
  const of = { target: 'orders', connector: 'vault', sender_constraint: 'none', permissions }
  const intent = await parts.cdp.redeem(await world.decision(of), world.collector.presented)
  await decided(world.db, intent)
  return intent
}
const gone = () => ({ roles: server.state.roles.size, logins: server.state.logins.size })
const NOTHING = { roles: 0, logins: 0 }

it('[REV-01] what was stopped is gone at Vault, and then said to be', async () => {
  const intent = await redeemed()
  const made = await parts.cdp.mint(intent)
  await world.ledger.record(null, async (tx) => {
    const value = await parts.cdp.activate(tx, intent, made)
    const entries = [parts.cdp.issuance(intent, made, world.collector.presented)]
    return { entries, value, answer: null }
  })
  expect(await part.works(made)).toBe(true)
  await stop(world.db, 'credential', intent.lease)

  server.faults.set('', 'sealed')
  expect(await parts.sweeper.sweepOnce()).toBe(0)
  expect(await part.works(made)).toBe(true)
  expect((await stateOf(world.db, intent.lease))?.state).not.toBe('revoked')

  server.faults.clear()
  await world.db.query('update procura.lease set next_try_at = now() where id = $1', [intent.lease])
  await until(async () => (await parts.sweeper.sweepOnce()) === 1)
  expect(await part.works(made)).toBe(false)
  expect(await stateOf(world.db, intent.lease)).toMatchObject({ state: 'revoked' })
  expect(gone()).toEqual(NOTHING)
})

it.each<[when: string, path: string, fault: Fault]>([
  ['before its role was written', 'auth/token/roles', 'acts and hangs'],
  ['before its token was made', 'auth/token/create', 'acts and hangs'],
  ['as the engine had made it', PATH, 'acts and hangs'],
])(
  '[F49] what timed out %s is unknown, found by its name, and ended',
  async (_when, path, fault) => {
    const intent = await redeemed()
    server.faults.set(path, fault)
    const failure = await parts.cdp.mint(intent).catch((caught: unknown) => caught)
    expect(failure).toMatchObject({ code: 'downstream_timeout' })
    server.faults.clear()
    await parts.cdp.takeBack(intent, failure)
    expect(gone()).toEqual(NOTHING)
    expect((await stateOf(world.db, intent.lease))?.state).toBe('failed')
  },
)

it('what a process made and died with is ended by the sweeper, by the name that was committed', async () => {
  const intent = await redeemed()
  await parts.cdp.mint(intent)
  expect(gone()).toEqual({ roles: 1, logins: 1 })
  await world.db.query(
    `update procura.lease set updated_at = now() - interval '1 min' where id = $1`,
    [intent.lease],
  )
  await until(async () => (await parts.sweeper.sweepOnce()) === 1)
  expect(gone()).toEqual(NOTHING)
})

it('what no lease names is found at Vault, and ended', async () => {
  const [kept, lost] = [await redeemed(), await redeemed()]
  for (const intent of [kept, lost]) await parts.cdp.mint(intent)
  await world.db.query('delete from procura.lease where id = $1', [lost.lease])
  expect(await parts.sweeper.reconcile('orders')).toEqual([lost.downstreamName])
  expect(gone()).toEqual({ roles: 1, logins: 1 })
})
