import { describe, expect, it } from 'vitest'
import { createPool } from '../../src/db/connect.ts'
import type { Spending } from '../../src/delivery/spending.ts'
import { newId } from '../../src/domain/ids.ts'
import { signToken } from '../../src/domain/jws.ts'
import type { Act, By } from '../../src/domain/request.ts'
import { ARGS, aSigner, AUDIENCE, now, WHO } from './bench.ts'
import {
  anInstance,
  another,
  aWorld,
  issue,
  leaves,
  ORDERS,
  payments,
  spend,
  stateOf,
  stop,
  used,
  type World,
} from './world.ts'

const act: Act = {
  ...{ requestId: 'req-2', face: 'native' },
  actor: { kind: 'service', id: 'payments', authentication: 'service_assertion' },
}
const by = (key: string | null = null, fingerprint = 'f'): By => ({
  ...{ act, origin: { address: '127.0.0.1', userAgent: null } },
  key:
    key === null ? null : { caller: 'payments', route: 'POST /v1/redemptions', key, fingerprint },
})
const call = (token: string): Spending => ({
  ...{ token, tool: 'payments.refund', argsHash: ARGS, dpop: null },
})
const types = async ({ db }: World) => (await leaves(db)).map(({ event_type }) => event_type)

/** Issued, and what its decision spent. */
async function issued(world: World, of: object = {}) {
  const claims = world.claims(of as never)
  await spend(world.db, claims['jti'] as string)
  return await issue(world, claims)
}

describe('[TOK-07] introspection', () => {
  it('tells the claims to the service that it was minted for, and spends nothing', async () => {
    const world = await aWorld()
    const { token, lease, intent } = await issued(world)
    for (const _ of ['once', 'again']) {
      expect(await world.introspect(payments, token)).toMatchObject({
        ...{ jti: lease.id, aud: AUDIENCE, token_type: 'DPoP', sub: WHO.sponsor },
        ...{ client_id: WHO.agent, cnf: { jkt: intent.jkt } },
      })
    }
    expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'active' })
  })

  it.each<[string, (world: World, token: string, id: string) => Promise<unknown>]>([
    ['spent', ({ credentials }, token) => credentials.redeem(payments, call(token), by())],
    [
      'given back',
      ({ credentials }, _t, id) => credentials.giveBack(anInstance(), id as `crd_${string}`, act),
    ],
    [
      'expired',
      ({ db }, _t, id) =>
        db.query(`update procura.lease set expires_at = now() where id = $1`, [id]),
    ],
    ['stopped with its consent', ({ db }) => stop(db, 'consent', WHO.consent)],
    ['stopped itself', ({ db }, _t, id) => stop(db, 'credential', id)],
  ])('tells nothing of one that was %s', async (_what, end) => {
    const world = await aWorld()
    const { token, lease } = await issued(world)
    expect(await world.introspect(payments, token)).not.toBeNull()
    await end(world, token, lease.id)
    expect(await world.introspect(payments, token)).toBeNull()
  })

  it('tells nothing to another service, nor of what is not ours, altered or of another kind', async () => {
    const world = await aWorld()
    const { token } = await issued(world)
    expect(await world.introspect(another, token)).toBeNull()
    const claims = { aud: AUDIENCE, jti: newId('crd', now()), iat: 1, exp: 2 }
    for (const other of [
      ...['', 'x', 'a.b.c', `${token}x`, token.slice(0, -4), await world.decision()],
      await signToken('credential', claims, aSigner()),
    ]) {
      expect(await world.introspect(payments, other)).toBeNull()
    }
  })

  it('tells nothing of one that is well signed, and that nobody decided', async () => {
    const world = await aWorld()
    const { token, intent } = await issued(world)
    expect(await world.introspect(payments, token)).not.toBeNull()
    const change = `update procura.decision set answer = 'deny' where id = $1`
    await world.db.query(change, [intent.decision])
    expect(await world.introspect(payments, token)).toBeNull()
  })

  it('is 503, and not an answer, when the database is down', async () => {
    const world = await aWorld()
    const { token } = await issued(world)
    const nobody = createPool({ url: 'postgres://x@127.0.0.1:1/x', role: null, max: 1 })
    await expect(world.introspect(payments, token, nobody)).rejects.toMatchObject({
      code: 'unavailable',
    })
    await nobody.end()
  })
})

describe('[TOK-08] a redemption', () => {
  it('succeeds once: who has it is told what it was for, and it is on record', async () => {
    const world = await aWorld()
    const { token, lease, intent } = await issued(world)
    const spent = await world.credentials.redeem(payments, call(token), by())
    expect(spent).toMatchObject({
      ...{ credential: lease.id, decision: lease.decision, argsHash: ARGS, isRepeat: false },
      ...{ sub: WHO.sponsor, clientId: WHO.agent, act: intent.act, expiresAt: lease.expiresAt },
    })
    await expect(world.credentials.redeem(payments, call(token), by())).rejects.toMatchObject({
      code: 'already_redeemed',
    })
    const [, usage] = await leaves(world.db)
    expect(usage).toMatchObject({
      ...{ event_type: 'usage', event_id: spent.eventId, request_id: 'req-2' },
      effect: { observed: 'occurred', source: 'redemption' },
    })
    expect(await types(world)).toEqual(['issuance', 'usage'])
  })

  it('succeeds for one of fifty at once, over two processes', async () => {
    const world = await aWorld()
    const other = world.aReplica()
    const { token } = await issued(world)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, (_, n) =>
        (n % 2 ? world : other).credentials.redeem(payments, call(token), by()),
      ),
    )
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(lost).toHaveLength(49)
    for (const { reason } of lost) expect(reason).toMatchObject({ code: 'already_redeemed' })
    expect(await types(world)).toEqual(['issuance', 'usage'])
  })

  it.each<[string, Partial<Spending>, string]>([
    ['other arguments', { argsHash: 'x' }, 'args_mismatch'],
    ['another tool', { tool: 'payments.payout' }, 'args_mismatch'],
    [
      'the proof of another key',
      { dpop: { proof: 'no', htm: 'POST', htu: 'u' } },
      'invalid_dpop_proof',
    ],
  ])('with %s is refused, and spends nothing', async (_what, wrong, code) => {
    const world = await aWorld()
    const { token } = await issued(world)
    const redeem = (spending: Spending) => world.credentials.redeem(payments, spending, by())
    await expect(redeem({ ...call(token), ...wrong })).rejects.toMatchObject({ code })
    await redeem(call(token))
  })

  it('with a proof by the key that it is bound to succeeds', async () => {
    const world = await aWorld()
    const { token, intent } = await issued(world)
    const dpop = { proof: `by ${intent.jkt}`, htm: 'POST', htu: 'https://payments.example/refunds' }
    await world.credentials.redeem(payments, { ...call(token), dpop }, by())
  })

  it('by another service finds nothing, and spends nothing', async () => {
    const world = await aWorld()
    const { token } = await issued(world)
    await expect(world.credentials.redeem(another, call(token), by())).rejects.toMatchObject({
      code: 'not_found',
    })
    await world.credentials.redeem(payments, call(token), by())
  })

  it.each<[string, (world: World, id: string) => Promise<unknown>]>([
    [
      'expired',
      ({ db }, id) => db.query(`update procura.lease set expires_at = now() where id = $1`, [id]),
    ],
    ['stopped', ({ db }) => stop(db, 'agent', WHO.agent)],
    [
      'given back',
      ({ credentials }, id) => credentials.giveBack(anInstance(), id as `crd_${string}`, act),
    ],
  ])('of one that is %s is 410', async (_what, end) => {
    const world = await aWorld()
    const { token, lease } = await issued(world)
    await end(world, lease.id)
    await expect(world.credentials.redeem(payments, call(token), by())).rejects.toMatchObject({
      code: 'credential_gone',
    })
  })

  it('with the key of the first is answered as the first, and with another body refused', async () => {
    const world = await aWorld()
    const { token } = await issued(world)
    const first = await world.credentials.redeem(payments, call(token), by('key-0001'))
    const again = await world.credentials.redeem(payments, call(token), by('key-0001'))
    expect(again).toEqual({ ...first, isRepeat: true })
    await expect(
      world.credentials.redeem(payments, call(token), by('key-0001', 'g')),
    ).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  })
})

describe('giving back', () => {
  it('ends it where it is and gives back what it spent, if nothing can have come of it', async () => {
    const world = await aWorld()
    const { lease } = await issued(world)
    expect(await used(world.db)).toBe(1)
    const first = await world.credentials.giveBack(anInstance(), lease.id, act)
    expect(first).toMatchObject({ id: lease.id, status: 'returned', refunded: true })
    expect(first.confirmedDeadAt).toBeInstanceOf(Date)
    expect(await used(world.db)).toBe(0)
    expect(await world.credentials.giveBack(anInstance(), lease.id, act)).toEqual(first)
    expect(await used(world.db)).toBe(0)
    expect((await leaves(world.db)).slice(1)).toMatchObject([
      { event_type: 'credential_ended', reason: 'returned', request_id: 'req-2' },
    ])
  })

  it('of a login ends it at the target, and gives nothing back: it may have been used', async () => {
    const world = await aWorld()
    const { lease } = await issued(world, ORDERS)
    const given = await world.credentials.giveBack(anInstance(), lease.id, act)
    expect(given).toMatchObject({ status: 'returned', refunded: false })
    expect(world.fake.live.size).toBe(0)
    expect(await used(world.db)).toBe(1)
  })

  it('is pending while the target does not confirm, then over, for the same reason', async () => {
    const world = await aWorld()
    const { lease } = await issued(world, ORDERS)
    world.fake.faults.add('cannot be asked to revoke')
    for (const _ of ['once', 'again']) {
      expect(await world.credentials.giveBack(anInstance(), lease.id, act)).toMatchObject({
        ...{ status: 'revoke_pending', refunded: false, confirmedDeadAt: null },
      })
    }
    world.fake.faults.clear()
    await world.aSweeper().sweepOnce(new Date(Date.now() + 60_000))
    expect(await world.credentials.giveBack(anInstance(), lease.id, act)).toMatchObject({
      status: 'returned',
    })
    expect((await leaves(world.db)).at(-1)).toMatchObject({ reason: 'returned' })
  })

  it('[REV-06] finds only what was issued to that instance', async () => {
    const world = await aWorld()
    const { lease } = await issued(world)
    const stranger = anInstance(newId('ins', now()))
    for (const [instance, id] of [
      [stranger, lease.id],
      [anInstance(), newId('crd', now())],
    ] as const) {
      await expect(world.credentials.giveBack(instance, id, act)).rejects.toMatchObject({
        code: 'not_found',
      })
      await expect(world.credentials.read(instance, id)).rejects.toMatchObject({
        code: 'not_found',
      })
    }
    expect(await world.credentials.read(anInstance(), lease.id)).toEqual(lease)
  })

  it('is 410 for one that is over otherwise', async () => {
    const world = await aWorld()
    const { token, lease } = await issued(world)
    await world.credentials.redeem(payments, call(token), by())
    await expect(world.credentials.giveBack(anInstance(), lease.id, act)).rejects.toMatchObject({
      code: 'credential_gone',
    })
    expect(await world.credentials.read(anInstance(), lease.id)).toMatchObject({
      state: 'redeemed',
    })
    expect(await used(world.db)).toBe(1)
  })

  it('[DEL-23] by us, of what may have reached nobody, is on record as that', async () => {
    const world = await aWorld()
    const { lease } = await issued(world, ORDERS)
    await world.credentials.undelivered(lease.id, act)
    await world.credentials.undelivered(lease.id, act)
    expect(world.fake.live.size).toBe(0)
    expect((await leaves(world.db)).slice(1)).toMatchObject([
      { event_type: 'credential_ended', reason: 'delivery_unknown' },
    ])
  })
})
