import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { newId } from '../../src/domain/ids.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import type { Fault } from '../fakes/target.ts'
import { aCollector, aDecision, aSigner, now, WHO } from './bench.ts'
import { aWorld, issue, leaves, ORDERS, spend, stateOf, stop, used, type World } from './world.ts'

const seconds = () => Math.floor(Date.now() / 1000)
const types = async ({ db }: World) => (await leaves(db)).map(({ event_type }) => event_type)

describe('redeeming a decision', () => {
  it('opens a lease whose name out there follows from its id, and whose end from the decision', async () => {
    const world = await aWorld()
    const iat = seconds() - 5
    const intent = await world.redeem({ ...ORDERS, iat, exp: iat + 60, ttl_seconds: 30 })
    expect(intent.downstreamName).toMatch(/^cb_[a-z2-7]{26}$/)
    expect(intent.expiresAt).toEqual(new Date((iat + 30) * 1000))
    expect(await stateOf(world.db, intent.lease)).toMatchObject({ state: 'minting' })
  })

  it('[WAL-05] lets one of fifty in, over two processes', async () => {
    const world = await aWorld()
    const other = world.aReplica()
    const signed = await world.decision()
    const attempts = Array.from({ length: 50 }, (_, n) =>
      (n % 2 ? world.cdp : other.cdp).redeem(signed, world.collector.presented),
    )
    const outcomes = await Promise.allSettled(attempts)
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(lost).toHaveLength(49)
    for (const { reason } of lost) {
      expect(reason).toMatchObject({ code: 'decision_stale', shown: { reason: 'redeemed' } })
    }
    expect(await leaves(world.db)).toEqual([])
  })

  it.each<[string, JsonObject, object]>([
    ['61 s old', { iat: seconds() - 61, exp: seconds() - 1 }, { reason: 'expired' }],
    ['of an earlier policy', { policy_epoch: 0 }, { reason: 'policy_epoch' }],
    ['under a condition that nobody knows', { conditions: [{ only: 'at night' }] }, {}],
    ['for another key', { cnf: { jkt: 'another' } }, {}],
    ['for a target that is not configured', { target: 'elsewhere' }, {}],
    ['for another connector than the target has', { ...ORDERS, target: 'payments' }, {}],
    ['for a weaker binding than the connector gives', { sender_constraint: 'none' }, {}],
  ])(
    '[WAL-04] refuses one that is %s, gives back what it spent, on record, and makes nothing',
    async (_what, of, shown) => {
      const world = await aWorld()
      const { jti, credential_id } = world.claims()
      const ids = { jti, credential_id } as { jti: string; credential_id: string }
      await spend(world.db, ids.jti)
      const refusal = await world.redeem({ ...of, ...ids }).catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(BrokerError)
      const code = 'reason' in shown ? 'decision_stale' : 'internal_error'
      expect(refusal).toMatchObject({ code, shown })
      expect(await stateOf(world.db, ids.credential_id)).toMatchObject({ state: 'failed' })
      expect(await leaves(world.db)).toMatchObject([
        { event_type: 'issuance_failed', reason: 'aborted', request_id: 'req-1' },
      ])
      expect((await leaves(world.db))[0]?.['budgets']).toMatchObject([{ debited: -1 }])
      expect(await used(world.db)).toBe(0)
      expect(world.fake.made).toBe(0)
      // The decision is used up; the next one of this kind that is right passes.
      await expect(world.redeem(ids)).rejects.toMatchObject({ shown: { reason: 'redeemed' } })
      await world.redeem()
    },
  )

  it.each<[string, (world: World) => unknown]>([
    ['signed by another key', ({ collector }) => aDecision(aSigner(), collector.jkt)],
    [
      'altered',
      async ({ decision }) =>
        (await decision()).replace(/(?<=\.)[^.](?=[^.]*$)/, (one) => (one === 'A' ? 'B' : 'A')),
    ],
    ['a deny, which has no grant', ({ decision }) => decision({ grant: null })],
    ['with a claim that nobody knows', ({ decision }) => decision({ limit: 5 })],
    ['no token at all', () => 'x.y.z'],
  ])('[WAL-04] refuses one that is %s, and writes nothing', async (_what, make) => {
    const world = await aWorld()
    const signed = (await make(world)) as Awaited<ReturnType<World['decision']>>
    await expect(world.cdp.redeem(signed, world.collector.presented)).rejects.toMatchObject({
      code: 'internal_error',
    })
    expect(await world.db.query('select from procura.lease')).toEqual([])
    await world.redeem()
  })

  it('refuses one that another key collects, whoever it was meant for', async () => {
    const world = await aWorld()
    const { presented } = aCollector()
    await expect(world.cdp.redeem(await world.decision(), presented)).rejects.toMatchObject({
      code: 'internal_error',
    })
    const withoutProof = { ...world.collector.presented, dpop: null }
    await expect(world.cdp.redeem(await world.decision(), withoutProof)).rejects.toMatchObject({
      code: 'internal_error',
    })
  })

  it.each([
    ['sponsor', WHO.sponsor, null],
    ['consent', WHO.consent, null],
    ['agent', WHO.agent, 0],
    ['instance', WHO.instance, 0],
  ])('obeys a stop of the %s, and no stop of others', async (kind, id, hop) => {
    const world = await aWorld()
    await stop(world.db, kind, `${id}x`)
    await stop(world.db, 'consent', newId('con', now()), 2)
    await world.redeem()
    await stop(world.db, kind, id)
    await expect(world.redeem()).rejects.toMatchObject({
      code: 'chain_invalid',
      shown: { outcome: 'revoked', hop },
    })
    expect(await types(world)).toEqual(['issuance_failed'])
    // Decided after that stop, and so with it in view: what stopped nothing here does not refuse.
    await world.redeem({ revocation_epoch: 1 })
  })

  it('is 503 where the epochs cannot be read, and the decision can still be redeemed', async () => {
    const world = await aWorld()
    const signed = await world.decision()
    await world.db.query('alter table procura.epoch rename to gone')
    await expect(world.cdp.redeem(signed, world.collector.presented)).rejects.toThrow()
    await world.db.query('alter table procura.gone rename to epoch')
    await world.db.query(`delete from procura.epoch`)
    await expect(world.cdp.redeem(signed, world.collector.presented)).rejects.toMatchObject({
      code: 'unavailable',
    })
    await world.db.query(`insert into procura.epoch values ('main', 'policy', 1)`)
    await world.cdp.redeem(signed, world.collector.presented)
  })
})

describe('making it', () => {
  it('is on record as issued, active, and found again under its id without a secret', async () => {
    const world = await aWorld()
    const { lease, intent } = await issue(world, ORDERS)
    expect(lease).toMatchObject({ state: 'active', eventId: intent.eventId })
    expect(await leaves(world.db)).toMatchObject([
      { event_type: 'issuance', event_id: intent.eventId, request_id: 'req-1' },
    ])
    expect(await world.cdp.find(lease.id, lease.decision)).toEqual(lease)
    const dump = JSON.stringify(await world.db.query('select * from procura.lease'))
    expect(dump).not.toContain('made')
  })

  it.each<[Fault, string, string, number]>([
    ['refuses', 'downstream_failed', 'downstream_failed', 0],
    ['fails after it was made', 'downstream_failed', 'downstream_failed', 1],
    ['makes it longer', 'downstream_failed', 'downstream_failed', 1],
    ['hangs after it was made', 'downstream_timeout', 'downstream_timeout', 1],
  ])('[F49][F51] leaves nothing alive when the target %s', async (fault, code, reason, after) => {
    const world = await aWorld()
    const ids = world.claims()
    await spend(world.db, ids['jti'] as string)
    world.fake.faults.add(fault)
    await expect(issue(world, { ...ids, ...ORDERS, ...grantOf() })).rejects.toMatchObject({ code })
    expect([...world.fake.live]).toEqual([])
    expect(await leaves(world.db)).toMatchObject([{ event_type: 'issuance_failed', reason }])
    // Given back only where nothing ever existed.
    expect(await used(world.db)).toBe(after)
    const [row] = await world.db.query<{ state: string }>('select state from procura.lease')
    expect(row?.state).toBe('failed')
    const found = world.cdp.find(ids['credential_id'] as never, ids['jti'] as never)
    await expect(found).rejects.toMatchObject({ code })
  })

  it('obeys a stop that was acknowledged before the issuance commits', async () => {
    const world = await aWorld()
    const { cdp, ledger, collector } = world
    const intent = await world.redeem(ORDERS)
    const made = await cdp.mint(intent)
    await stop(world.db, 'consent', WHO.consent)
    const recording = ledger.record(null, async (tx) => {
      const value = await cdp.activate(tx, intent, made)
      return { entries: [cdp.issuance(intent, made, collector.presented)], value, answer: null }
    })
    const cause = await recording.catch((error: unknown) => error)
    expect(cause).toMatchObject({ code: 'chain_invalid', shown: { outcome: 'revoked' } })
    await cdp.takeBack(intent, cause)
    expect([...world.fake.live]).toEqual([])
    expect(await leaves(world.db)).toMatchObject([
      { event_type: 'issuance_failed', reason: 'aborted' },
    ])
  })

  it('[F20] activates nothing that was ended meanwhile, nor anything twice', async () => {
    const world = await aWorld()
    const intent = await world.redeem(ORDERS)
    const made = await world.cdp.mint(intent)
    await world.cdp.takeBack(intent, new Error('somebody thought it dead'))
    const activate = () =>
      world.ledger.record(null, async (tx) => {
        const value = await world.cdp.activate(tx, intent, made)
        return { entries: [], value, answer: null }
      })
    await expect(activate()).rejects.toMatchObject({ code: 'decision_stale' })
    expect(await stateOf(world.db, intent.lease)).toMatchObject({ state: 'failed' })
  })

  it('[F29] takes back what was issued, though its commit seemed to fail', async () => {
    const world = await aWorld()
    const { intent } = await issue(world, ORDERS)
    await world.cdp.takeBack(intent, new Error('the connection broke after the commit'))
    expect([...world.fake.live]).toEqual([])
    expect(await stateOf(world.db, intent.lease)).toMatchObject({ state: 'revoked' })
    expect(await types(world)).toEqual(['issuance', 'credential_ended'])
    expect((await leaves(world.db))[1]).toMatchObject({ reason: 'delivery_unknown' })
  })

  it('[I20] leaves to the sweeper what the target does not confirm, and says so meanwhile', async () => {
    const world = await aWorld()
    world.fake.faults.add('fails after it was made').add('cannot be asked to revoke')
    await expect(issue(world, ORDERS)).rejects.toMatchObject({ code: 'downstream_failed' })
    const [row] = await world.db.query<{ id: string }>('select id from procura.lease')
    expect(await stateOf(world.db, row?.id ?? '')).toMatchObject({
      ...{ state: 'revoke_pending', end_reason: 'downstream_failed' },
    })
    expect(await leaves(world.db)).toEqual([])
    world.fake.faults.clear()
    const later = new Date(Date.now() + 60_000)
    expect(await world.aSweeper().sweepOnce(later)).toBe(1)
    expect([...world.fake.live]).toEqual([])
    expect(await leaves(world.db)).toMatchObject([
      { event_type: 'issuance_failed', reason: 'downstream_failed' },
    ])
  })
})

describe('one who asks again', () => {
  it('is told to wait while it is being made', async () => {
    const world = await aWorld()
    const intent = await world.redeem()
    await expect(world.cdp.find(intent.lease, intent.decision)).rejects.toMatchObject({
      code: 'idempotency_in_flight',
    })
  })

  it('is told to wait while a decision is on its way, and to ask anew when it cannot be any more', async () => {
    const { cdp } = await aWorld()
    const [fresh, old] = [now(), new Date(Date.now() - 80_000)]
    const find = (at: Date) => cdp.find(newId('crd', at), newId('dec', at))
    await expect(find(fresh)).rejects.toMatchObject({ code: 'idempotency_in_flight' })
    await expect(find(old)).rejects.toMatchObject({ code: 'decision_stale' })
  })
})

const grantOf = (): JsonObject => ({
  grant: { permissions: {}, target: 'orders', connector: 'postgres' },
  sender_constraint: 'none',
})
