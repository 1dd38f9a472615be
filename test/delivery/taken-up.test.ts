/** A process that stood still in the middle of an issuance, and goes on when a sweeper has taken it up. */
import { expect, it } from 'vitest'
import { claimDue, releaseClaims } from '../../src/delivery/claiming.ts'
import { now } from './bench.ts'
import { aWorld, leaves, ORDERS, spend, stateOf, used, type World } from './world.ts'

const later = (seconds: number) => new Date(now().getTime() + seconds * 1000)
const AT = { tenant: 'main', target: 'orders', limit: 8 } as const

/** Made at its target, and then nothing for longer than a mint may take. */
async function aStandstill(world: World) {
  const claims = world.claims(ORDERS)
  await spend(world.db, claims['jti'] as string)
  const intent = await world.redeem(claims)
  const made = await world.cdp.mint(intent)
  const goOn = () =>
    world.ledger.record(null, async (tx) => {
      const lease = await world.cdp.activate(tx, intent, made)
      const entries = [world.cdp.issuance(intent, made, world.collector.presented)]
      return { entries, value: lease, answer: null }
    })
  return { intent, goOn }
}

it.each([
  ['has begun to end it', 0, false],
  ['began to end it and died, so that its claim has run out', -65, false],
  ['began to end it and was stopped', 0, true],
])('a credential does not become active when a sweeper %s', async (_what, seconds, isStopped) => {
  const world = await aWorld()
  const reaper = world.db.pool('procura_reaper')
  const { intent, goOn } = await aStandstill(world)
  await world.db.query(`update procura.lease set updated_at = now() - interval '2 min'`)
  const claim = { ...AT, claim: 'sweeper', now: later(seconds) }
  expect(await claimDue(reaper, claim)).toHaveLength(1)
  if (isStopped) await releaseClaims(reaper, 'main', ['sweeper'])
  world.fake.live.delete(intent.downstreamName)

  const refusal: unknown = await goOn().catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'decision_stale' })
  await world.cdp.takeBack(intent, refusal)
  expect(world.fake.revoked).toEqual([intent.downstreamName])
  expect(await stateOf(world.db, intent.lease)).toMatchObject({
    ...{ state: 'failed', end_reason: 'aborted' },
  })
  expect(await leaves(world.db)).toMatchObject([{ event_type: 'issuance_failed' }])
  // It had been there, though the last to look found nothing.
  expect(await used(world.db)).toBe(1)
  await expect(goOn()).rejects.toMatchObject({ code: 'decision_stale' })
})

it('a credential becomes active however late it is, where no sweeper has looked', async () => {
  const world = await aWorld()
  const { goOn } = await aStandstill(world)
  await world.db.query(`update procura.lease set updated_at = now() - interval '2 min'`)
  expect((await goOn()).value).toMatchObject({ state: 'active' })
})
