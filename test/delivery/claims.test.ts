import { describe, expect, it } from 'vitest'
import { digestOf } from '../../src/domain/digest.ts'
import { newId } from '../../src/domain/ids.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { JwsError } from '../../src/domain/jws.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { downstreamName, draftOf, readDecision } from '../../src/delivery/claims.ts'
import { aDecision, aSigner, decisionClaims, now, WHO } from './bench.ts'

const signer = aSigner()
const JKT = 'the-thumbprint'
const read = async (of: JsonObject = {}) => readDecision(await aDecision(signer, JKT, of), signer)

/** What the log is told of a refusal; the caller is told nothing. */
async function refusal(
  reading: () => Promise<unknown>,
): Promise<{ code: string; message: string; cause?: unknown }> {
  try {
    await reading()
  } catch (error) {
    if (error instanceof BrokerError) return error
    throw error
  }
  throw new Error('it was read')
}

describe('a signed decision', () => {
  it.each<[string, JsonObject]>([
    ['an allow', {}],
    ['an allow that rests on a yes', { level: 'L2', approvals: [newId('apr', now())] }],
    ['an allow by passkey', { level: 'L3' }],
    [
      'one through a chain',
      { chain: { depth: 1, leaf: 'hash', delegation_id: newId('dlg', now()) } },
    ],
    ['the shortest', { ttl_seconds: 1 }],
    ['the longest', { ttl_seconds: 3600 }],
    ['one before anything was stopped', { revocation_epoch: 0, policy_epoch: 0 }],
  ])('[WAL-04] is read: %s', async (_what, of) => {
    expect(await read(of)).toMatchObject(of)
  })

  it.each<[string, JsonObject]>([
    ['no id', { jti: 'dec_1' }],
    ['an id of another kind', { jti: newId('crd', now()) }],
    ['a lease of another kind', { credential_id: newId('dec', now()) }],
    ['a sponsor of another kind', { sub: WHO.agent }],
    ['an agent of another kind', { client_id: WHO.sponsor }],
    ['an instance of another kind', { instance_id: WHO.agent }],
    ['a consent of another kind', { consent_id: WHO.agent }],
    ['approvals of another kind', { approvals: [WHO.agent] }],
    ['a number for an id', { credential_id: 7 }],
    ['a list for an act', { act: [] }],
    ['a text for a chain', { chain: 'x' }],
    ['no key', { cnf: {} }],
    ['an empty key', { cnf: { jkt: '' } }],
    ['a second key', { cnf: { jkt: 'x', other: 'y' } }],
    ['a text for permissions', { grant: { permissions: 'all', target: 'a', connector: 'b' } }],
    [
      'a grant that says more',
      { grant: { permissions: {}, target: 'a', connector: 'b', also: 1 } },
    ],
    ['an empty target', { target: '' }],
    ['no time', { ttl_seconds: 0 }],
    ['more than an hour', { ttl_seconds: 3601 }],
    ['half a second', { ttl_seconds: 1.5 }],
    ['a level that there is not', { level: 'L4' }],
    ['a binding that there is not', { sender_constraint: 'mtls' }],
    ['an epoch below none', { policy_epoch: -1 }],
    ['a claim that nobody knows', { limit: 5 }],
    ['a claim less', { purpose: null }],
  ])('[WAL-04] is none of ours with %s', async (_what, of) => {
    expect(await read()).toBeDefined()
    const { code, message, cause } = await refusal(() => read(of))
    expect([code, message]).toEqual(['internal_error', 'not a decision of our PDP'])
    expect(cause).toMatchObject({ name: 'ZodError' })
  })

  it('[WAL-04] is none of ours under another key, and the log is told why', async () => {
    const foreign = await refusal(async () => readDecision(await aDecision(aSigner(), JKT), signer))
    expect(foreign.code).toBe('internal_error')
    expect((foreign.cause as JwsError).name).toBe('JwsError')
  })

  it('that cannot be read for a mistake of ours is that mistake', async () => {
    const broken = {
      ...signer,
      get issuer(): string {
        throw new RangeError('no configuration')
      },
    }
    const signed = await aDecision(signer, JKT)
    expect(() => readDecision(signed, broken)).toThrow(RangeError)
  })
})

describe('what is going to be made', () => {
  it('is what was decided, word for word, for as long as was reckoned then', async () => {
    const iat = 1_780_000_000
    const { decision, ...draft } = draftOf(
      await read({ iat, exp: iat + 60, ttl_seconds: 45 }),
      'req-7',
    )
    const claims = decisionClaims(JKT)
    expect(decision).toMatch(/^dec_/)
    expect(draft).toMatchObject({
      ...WHO,
      ...{
        connector: 'jwt',
        target: 'payments',
        permissions: { audience: 'https://payments.example' },
      },
      ...{ grantHash: digestOf(claims['grant'] as JsonObject), ttlSeconds: 45, jkt: JKT },
      ...{ senderConstraint: 'dpop', level: 'L1', tool: 'payments.refund', act: claims['act'] },
      ...{ toolHash: claims['tool_hash'], argsHash: claims['args_hash'], chain: null },
      ...{ requestHash: claims['request_hash'], purpose: 'support.refunds', requestId: 'req-7' },
      expiresAt: new Date((iat + 45) * 1000),
      ...{ revocationEpoch: 0, downstreamName: downstreamName(draft.lease) },
    })
    expect(draft.eventId).toMatch(/^evt_/)
    expect(draft.eventId > newId('evt', new Date((iat - 1) * 1000))).toBe(true)
    expect(draft.eventId < newId('evt', new Date((iat + 1) * 1000))).toBe(true)
  })

  it('has a name that follows from the lease alone, and another one for each', () => {
    // Found again by this name after a crash: it may never change.
    expect(downstreamName('crd_01m7ysq11heassstccc64q4cf1')).toBe(
      'cb_7lozfhgzdgy47enmhpuc2uabj5', // Base32 of SHA-256, by another program.
    )
    const names = Array.from({ length: 200 }, () => downstreamName(newId('crd', now())))
    expect(new Set(names).size).toBe(200)
    for (const name of names) expect(name).toMatch(/^cb_[a-z2-7]{26}$/)
  })
})
