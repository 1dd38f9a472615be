import { describe, expect, it } from 'vitest'
import { createRedeem, stale } from '../../src/delivery/redeem.ts'
import { refusalFor } from '../../src/delivery/stopped.ts'
import { createTargets } from '../../src/delivery/targets.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { bySystem, type Presented } from '../../src/domain/request.ts'
import { NOW } from '../fakes/settled.ts'
import { aFakeTarget } from '../fakes/target.ts'
import { aCollector, aDecision, aSigner, decisionClaims, WHO } from './bench.ts'
import { aLeaseTable, type Finding, REFUNDED } from './lease-table.ts'

const decisions = aSigner()
const collector = aCollector()
const ORDERS = { target: 'orders', connector: 'postgres', permissions: {} }
const IAT = NOW.getTime() / 1000
const TIMES = { iat: IAT, exp: IAT + 60, ttl_seconds: 30 }

function aScene(finding: Partial<Finding> = {}) {
  const table = aLeaseTable()
  Object.assign(table.finding, finding)
  const targets = createTargets([aFakeTarget().kind], { orders: { connector: 'postgres' } })
  const redeem = createRedeem({ tenant: 'main', ...table, decisions, targets })
  const redeeming = async (of: JsonObject = {}, presented: Presented = collector.presented) =>
    await redeem(
      await aDecision(decisions, collector.jkt, { ...ORDERS, ...TIMES, ...of }),
      presented,
    )
  const refusal = async (of?: JsonObject, presented?: Presented) => {
    const error: unknown = await redeeming(of, presented).catch((cause: unknown) => cause)
    if (error instanceof BrokerError) return error
    throw new Error('it was redeemed', { cause: error })
  }
  return { ...table, redeeming, refusal }
}

describe('redeeming', () => {
  it('[WAL-04] is one statement, that is told all it has to compare', async () => {
    const { redeeming, asked, entries } = aScene()
    const intent = await redeeming()
    expect(intent).toMatchObject({ issuedAt: NOW, expiresAt: new Date((IAT + 30) * 1000), ...WHO })
    expect(asked).toEqual([
      {
        ...{ n: 0, id: intent.lease, decision_id: intent.decision, connector: 'postgres' },
        ...{ target: 'orders', downstream_name: intent.downstreamName, audience: null },
        ...{ sponsor: WHO.sponsor, agent: WHO.agent, instance: WHO.instance, consent: WHO.consent },
        ...{ delegation: null, jkt: collector.jkt, revocation_epoch: 0, policy: 1 },
        intent: expect.not.objectContaining({ expiresAt: expect.anything() as unknown }) as unknown,
        expires_at: intent.expiresAt.toISOString(),
        exp: new Date((IAT + 60) * 1000).toISOString(),
      },
    ])
    expect(entries).toEqual([])
  })

  // Each is right but for one thing.
  it.each<[string, JsonObject, string]>([
    ['a condition', { conditions: [{}] }, 'a condition that nobody here knows'],
    ['another key', { cnf: { jkt: 'another' } }, 'collected with another key'],
    ['another target', { grant: grant({ target: 'x' }) }, 'another grant'],
    ['another connector', { grant: grant({ connector: 'x' }) }, 'another grant'],
    [
      'an unknown target',
      { target: 'x', grant: grant({ target: 'x' }) },
      'no such target, or another connector',
    ],
    [
      'a foreign connector',
      { connector: 'jwt', grant: grant({ connector: 'jwt' }) },
      'no such target, or another connector',
    ],
    ['another binding', { sender_constraint: 'dpop' }, 'another constraint'],
  ])('[WAL-04] refuses %s, on record, and gives back what it spent', async (_what, of, message) => {
    const { redeeming, refusal, entries, asked } = aScene()
    await redeeming()
    const ids = decisionClaims(collector.jkt)
    const refused = await refusal({ ...of, jti: ids['jti'] ?? null })
    expect([refused.code, refused.message]).toEqual(['internal_error', message])
    expect(entries).toMatchObject([
      {
        ...{ type: 'issuance_failed', act: bySystem('req-1'), reason: 'aborted' },
        ...{ refunded: REFUNDED, intent: { decision: ids['jti'], issuedAt: NOW } },
      },
    ])
    // The second statement is the one that uses it up.
    expect(asked).toHaveLength(2)
    expect(asked[1]).toMatchObject({
      decision_id: ids['jti'],
      expires_at: expect.any(String) as unknown,
    })
    expect(asked[1]).not.toHaveProperty('policy')
  })

  it('refuses what is shorter than its target can make', async () => {
    const table = aLeaseTable()
    const { kind } = aFakeTarget()
    const target = kind.at('orders', {})
    const slow = { ...target, connector: { ...target.connector, ttlSecondsMin: 30 } }
    const redeem = createRedeem({
      tenant: 'main',
      ...table,
      decisions,
      targets: new Map([['orders', slow]]),
    })
    const lasting = async (ttl_seconds: number) =>
      await redeem(
        await aDecision(decisions, collector.jkt, { ...ORDERS, ...TIMES, ttl_seconds }),
        collector.presented,
      )
    await lasting(30)
    await expect(lasting(29)).rejects.toMatchObject({ code: 'ttl_unavailable' })
  })

  it.each<[string, Partial<Finding>, JsonObject, string]>([
    [
      'at the end of the decision',
      { now: new Date((IAT + 60) * 1000) },
      { ttl_seconds: 90 },
      'expired',
    ],
    ['at the end of the lease', { now: new Date((IAT + 30) * 1000) }, {}, 'expired'],
    ['under other policies', { policy_epoch: 2 }, {}, 'policy_epoch'],
  ])('[WAL-04] refuses it %s', async (_what, finding, of, reason) => {
    const { refusal, entries } = aScene({ opened: false, ...finding })
    expect(await refusal(of)).toMatchObject({ code: 'decision_stale', shown: { reason } })
    expect(entries).toHaveLength(1)
  })

  it.each([
    ['a millisecond before its end', { now: new Date((IAT + 30) * 1000 - 1) }],
    ['with nothing amiss', {}],
  ])('[WAL-05] says that it was redeemed where it was not let in %s', async (_what, finding) => {
    const { refusal, entries } = aScene({ opened: false, ...finding })
    expect(await refusal()).toMatchObject({ code: 'decision_stale', shown: { reason: 'redeemed' } })
    expect(entries).toEqual([])
  })

  it('[WAL-05] refuses once: who comes later is told that it is used up', async () => {
    const { refusal, entries } = aScene({ opened: false, stopped: 'agent' })
    const { jti = null, credential_id = null } = decisionClaims(collector.jkt)
    const ids = { jti, credential_id }
    expect((await refusal(ids)).code).toBe('chain_invalid')
    expect(await refusal(ids)).toMatchObject({
      code: 'decision_stale',
      shown: { reason: 'redeemed' },
    })
    expect(entries).toHaveLength(1)
  })

  it('is unavailable where no epoch can be read', async () => {
    const { refusal, entries } = aScene({ policy_epoch: null })
    expect((await refusal()).code).toBe('unavailable')
    expect(entries).toEqual([])
  })

  it.each<[string, string | null]>([
    ['no proof', null],
    ['an empty proof', ''],
    ['no JSON', 'AAAA.e30.AA'],
    ['no key', `${encoded({ alg: 'ES256' })}.e30.AA`],
    ['a text for a key', `${encoded({ jwk: 'x' })}.e30.AA`],
    ['a key without members', `${encoded({ jwk: {} })}.e30.AA`],
    ['another key', aCollector().presented.dpop],
  ])('[WAL-04] is for whoever holds the key, and not for one who shows %s', async (_what, dpop) => {
    const { refusal } = aScene()
    const { message } = await refusal({}, { ...collector.presented, dpop })
    expect(message).toBe('collected with another key')
  })
})

describe('a refusal', () => {
  const decision = decisionClaims('k')['jti'] as `dec_${string}`
  const who = { decision, ...WHO, delegation: null, revocationEpoch: 1 }
  const { pool } = aLeaseTable()

  it.each([
    ['sponsor', { hop: null, kind: 'sponsor', id: WHO.sponsor }],
    ['consent', { hop: null, kind: 'consent', id: WHO.consent }],
    ['agent', { hop: 0, kind: 'agent', id: WHO.agent }],
    ['instance', { hop: 0, kind: 'agent', id: WHO.agent }],
    ['credential', { hop: 0, kind: 'agent', id: WHO.agent }],
  ] as const)('for a stop of the %s names who was stopped', async (kind, stopped) => {
    const { code, shown } = await refusalFor(pool, 'main', who, kind)
    expect(code).toBe('chain_invalid')
    expect(shown).toEqual({
      ...{ outcome: 'revoked', hop: stopped.hop, stoppedBy: stopped, decision: who.decision },
      evaluation: { status: 'evaluated', unavailableInput: null },
    })
  })

  it('of what is stale says which decision, and why', () => {
    const { code, shown } = stale(who, 'expired')
    expect([code, shown]).toEqual(['decision_stale', { reason: 'expired', decision: who.decision }])
  })
})

function grant(of: JsonObject): JsonObject {
  return { permissions: {}, target: 'orders', connector: 'postgres', ...of }
}

function encoded(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
