import { beforeEach, describe, expect, it } from 'vitest'
import { newId } from '../../src/domain/ids.ts'
import { giveUpUnredeemed } from '../../src/delivery/unredeemed.ts'
import { aDecision } from './bench.ts'
import { aWorld, leaves, now, spend, stateOf, used, WHO, type World } from './world.ts'

let world: World
let reaping: Parameters<typeof giveUpUnredeemed>[0]
const aReaping = () => {
  const pool = world.db.pool('procura_reaper')
  return { tenant: 'main', pool, ledger: world.aReaper(pool), targets: world.targets }
}

beforeEach(async () => {
  world = await aWorld()
  reaping = aReaping()
})

/** A decision on record, so many seconds ago, of which a process has died before it was redeemed. */
async function decided(
  seconds: number,
  of: { readonly answer?: string; readonly instance?: null } = {},
) {
  const { answer = 'allow', instance = WHO.instance } = of
  const claims = world.claims() as { jti: string; credential_id: string }
  const [event, first] = [newId('evt', now()), (await leaves(world.db)).length]
  const entry = {
    ...{ event_id: event, event_type: 'decision', seq: first, sponsor_id: WHO.sponsor },
    ...{ subject_kind: 'human', consent_id: WHO.consent, purpose: 'support.refunds' },
    recorded_at: new Date(now().getTime() - seconds * 1000).toISOString(),
    request_id: 'req-7',
    decision: { id: claims.jti, answer, level: 'L1', revocation_epoch: 0 },
    chain: { depth: 0, hops: [{ client_id: WHO.agent, instance_id: instance, jkt: 'jkt' }] },
    call: {
      ...{ tool: 'payments.refund', tool_hash: 't', target: 'payments', args_hash: 'a' },
      ...{ request_hash: 'r', ttl_seconds: 60 },
    },
  }
  await world.db.query(`select ledger.append_decided('main', $1, $2::text[])`, [
    first,
    [JSON.stringify(entry)],
  ])
  await world.db.query(
    `insert into procura.decision (tenant, id, at, face, answer, sponsor, agent, instance, consent,
       credential, event_id)
     values ('main', $1, $2, 'native', $3, $4, $5, $6, $7, $8, $9)`,
    [claims.jti, entry.recorded_at, answer, WHO.sponsor, WHO.agent, instance, WHO.consent].concat([
      claims.credential_id,
      event,
    ]),
  )
  await spend(world.db, claims.jti)
  return claims
}

const giveUp = () => giveUpUnredeemed(reaping)

describe('a decision that nobody redeemed', () => {
  it('[F05] is given up after 70 s, once, on record, and what it spent is given back', async () => {
    const { jti, credential_id } = await decided(80)
    expect(await used(world.db)).toBe(1)
    expect(await giveUp()).toBe(1)
    expect(await used(world.db)).toBe(0)
    expect((await leaves(world.db)).at(-1)).toMatchObject({
      ...{ event_type: 'issuance_failed', reason: 'aborted', consent_id: WHO.consent },
      credential: { id: credential_id, decision_id: jti, status: 'failed' },
      budgets: [{ account: WHO.consent, debited: -1, used_after: 0 }],
      call: { tool: 'payments.refund' },
      request_id: 'req-7',
    })
    expect(await giveUp()).toBe(0)
    expect(await used(world.db)).toBe(0)
  })

  it('gives its approval back', async () => {
    const { jti } = await decided(80)
    await world.db.query(
      `insert into procura.approval (tenant, id, status, binding_hash, asked, agent, sponsor, consent,
         decision, shown, created_at, expires_at, approver, decided_at, approved_until, consumed_by, evidence)
       values ('main', $1, 'approved', 'b', '{}', $2, $3, $4, 'dec', '{}', now(), now() + interval '1 h',
         'spn_a', now(), now() + interval '1 h', $5, 'e')`,
      [newId('apr', now()), WHO.agent, WHO.sponsor, WHO.consent, jti],
    )
    await giveUp()
    expect(
      await world.db.query('select from procura.approval where consumed_by is null'),
    ).toHaveLength(1)
  })

  it('is left alone while it may still be redeemed', async () => {
    await decided(60)
    expect(await giveUp()).toBe(0)
    expect(await used(world.db)).toBe(1)
  })

  it('is not one that was redeemed, refused, or asked for by a gateway', async () => {
    const { jti, credential_id } = await decided(80)
    await world.redeem({ jti, credential_id })
    await decided(80, { answer: 'deny' })
    await decided(80, { instance: null })
    expect(await giveUp()).toBe(0)
  })

  it('[AC-15] can never be redeemed once it was given up, whatever the clocks say', async () => {
    const claims = await decided(80)
    await giveUp()
    const late = await aDecision(world.decisions, world.collector.jkt, claims)
    await expect(world.cdp.redeem(late, world.collector.presented)).rejects.toMatchObject({
      code: 'decision_stale',
    })
    expect(await stateOf(world.db, claims.credential_id)).toMatchObject({ state: 'failed' })
    expect((await leaves(world.db)).filter(({ reason }) => reason === 'aborted')).toHaveLength(1)
    expect(await used(world.db)).toBe(0)
  })

  it('of two reapers, one gives it up', async () => {
    for (let n = 0; n < 5; n += 1) await decided(80)
    const other = aReaping()
    const counts = await Promise.all([giveUp(), giveUpUnredeemed(other)])
    expect(counts.reduce((sum, count) => sum + count)).toBe(5)
    expect(await used(world.db)).toBe(0)
  })
})
