import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { generateKey, type Key } from '../../src/client/key.ts'
import { digestOf, sha256 } from '../../src/domain/digest.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { signToken, type SigningKey, signingKey } from '../../src/domain/jws.ts'
import { publicJwks } from '../../src/keys.ts'
import { createCredentialKeys } from '../../src/target/keys.ts'
import { challenge } from '../../src/target/refusal.ts'
import { createProofStore } from '../../src/target/replay.ts'
import { serviceAssertion } from '../../src/target/redeem.ts'
import { type Shown, verifyCredential } from '../../src/target/verify.ts'

const T = 1_800_000_000
const NOW = new Date(T * 1000)
const ISSUER = 'https://broker.example'
const AUDIENCE = 'https://payments.example'
const URL = `${AUDIENCE}/refunds`
const ARGS = { amount: 900, currency: 'EUR', order_id: 'EU-2026/10231' }
const CALL = { type: 'tool_call', tool: 'payments.refund', args_hash: digestOf(ARGS) }

function aKey(kid: string): SigningKey {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return signingKey({ kid, alg: 'ES256', ...pair })
}
const [OURS, OTHERS] = [aKey('cdp-1'), aKey('cdp-1')]
const HOLDER = generateKey()

async function tokenOf(more: JsonObject = {}, key = OURS): Promise<string> {
  const claims = { aud: AUDIENCE, iat: T - 1, exp: T + 60, jti: 'crd_1', cnf: { jkt: HOLDER.jkt } }
  const all = { ...claims, authorization_details: [CALL], ...more }
  return await signToken('credential', all, { issuer: ISSUER, keys: [key] })
}

let made = 0
function proofOf(
  token: string,
  more: JsonObject = {},
  key: Key = HOLDER,
  typ = 'dpop+jwt',
): string {
  const claims = { jti: `proof-${String((made += 1) + 1000)}`, htm: 'POST', htu: URL, iat: T }
  return key.sign(typ, { ...claims, ath: sha256(token), ...more }, { jwk: key.publicJwk })
}

function shown(token: string | null, more: Partial<Shown> = {}): Shown {
  return {
    ...{ issuer: ISSUER, audience: AUDIENCE, method: 'POST', url: URL, now: NOW },
    keys: createCredentialKeys({ issuer: ISSUER, load: () => Promise.resolve(publicJwks([OURS])) }),
    isFirst: createProofStore(() => NOW),
    ...{ tool: 'payments.refund', args: ARGS, token },
    proof: token === null ? null : proofOf(token),
    ...more,
  }
}
const verdict = async (token: string | null, more: Partial<Shown> = {}) => {
  const found = await verifyCredential(shown(token, more))
  return found.ok ? 'ok' : `${String(found.status)} ${found.code} ${found.reason}`
}

describe('a service that is shown a credential', async () => {
  it('takes one of ours, for it, by the key that it is bound to, for this very call', async () => {
    expect(await verdict(await tokenOf())).toBe('ok')
    const spelt = { order_id: 'EU-2026/10231', currency: 'EUR', amount: 900 }
    expect(await verdict(await tokenOf(), { args: spelt })).toBe('ok')
  })

  it.each<[string, () => Promise<string> | null, string]>([
    ['none', () => null, 'missing'],
    ['nonsense', () => Promise.resolve('x'), 'format'],
    ['one of another signer', () => tokenOf({}, OTHERS), 'bad_signature'],
    ['one under a key that is not published', () => tokenOf({}, aKey('cdp-2')), 'kid'],
    ['one for another service', () => tokenOf({ aud: 'https://other.example' }), 'aud'],
    ['one that has expired', () => tokenOf({ exp: T }), 'expired'],
    ['one that is bound to no key', () => tokenOf({ cnf: {} }), 'cnf'],
    [
      'one for two calls',
      () => tokenOf({ authorization_details: [CALL, CALL] }),
      'authorization_details',
    ],
    [
      'a session, which is signed by other keys',
      () => signToken('session', { iat: T, exp: T + 60 }, { issuer: ISSUER, keys: [OURS] }),
      'iss',
    ],
    ...(['identity', 'subject'] as const).map((kind): [string, () => Promise<string>, string] => [
      `what the broker says to others (${kind}), with all that a credential says`,
      () => {
        const claims = { aud: AUDIENCE, iat: T - 1, exp: T + 50, cnf: { jkt: HOLDER.jkt } }
        const all = { ...claims, jti: 'crd_1', authorization_details: [CALL] }
        return signToken(kind, all, { issuer: ISSUER, keys: [OURS] })
      },
      'wrong_type',
    ]),
  ])('refuses %s', async (_what, token, reason) => {
    expect(await verdict(await token())).toBe(`401 invalid_token ${reason}`)
  })

  const [token, other] = [await tokenOf(), await tokenOf({ jti: 'crd_2' })]
  const jwk = HOLDER.publicJwk
  it.each<[string, string | null, string]>([
    ['none', null, 'missing'],
    ['two', `${proofOf(token)},${proofOf(token)}`, 'multiple'],
    ['another type', proofOf(token, {}, HOLDER, 'JWT'), 'typ'],
    ['another key', proofOf(token, {}, generateKey()), 'key_mismatch'],
    [
      'a key that did not sign it',
      HOLDER.sign('dpop+jwt', {}, { jwk: generateKey().publicJwk }),
      'bad_signature',
    ],
    [
      'a private key in it',
      HOLDER.sign('dpop+jwt', {}, { jwk: HOLDER.exportJwk() }),
      'private_jwk',
    ],
    ['no algorithm', HOLDER.sign('dpop+jwt', {}, { jwk, alg: 'none' }), 'alg'],
    ['another method', proofOf(token, { htm: 'GET' }), 'htm'],
    ['another path', proofOf(token, { htu: `${URL}/2` }), 'htu'],
    ['another host', proofOf(token, { htu: 'https://evil.example/refunds' }), 'htu'],
    ['a way round', proofOf(token, { htu: `${AUDIENCE}/x/%2e./refunds` }), 'htu'],
    ['another token', proofOf(other), 'ath'],
    ['no token', proofOf(token, { ath: null }), 'ath'],
    ['too old a moment', proofOf(token, { iat: T - 71 }), 'iat'],
    ['a moment to come', proofOf(token, { iat: T + 11 }), 'iat'],
    ['no name of its own', proofOf(token, { jti: 'short' }), 'jti'],
  ])('refuses a proof with %s', async (_what, proof, reason) => {
    expect(await verdict(token, { proof })).toBe(`401 invalid_dpop_proof ${reason}`)
  })

  it('refuses another call than the one that was allowed, and does not use up the proof', async () => {
    const [proof, isFirst] = [proofOf(token), createProofStore(() => NOW)]
    const other = { ...ARGS, amount: 901 }
    expect(await verdict(token, { proof, isFirst, args: other })).toBe(
      '403 insufficient_scope args_hash',
    )
    expect(await verdict(token, { proof, isFirst, tool: 'x' })).toBe('403 insufficient_scope tool')
    const list = [ARGS] as unknown as JsonObject
    expect(await verdict(token, { proof, isFirst, args: list })).toBe('400 invalid_request args')
    expect(await verdict(token, { proof, isFirst })).toBe('ok')
  })

  it('takes a proof once', async () => {
    const [proof, isFirst] = [proofOf(token), createProofStore(() => NOW)]
    expect(await verdict(token, { proof, isFirst })).toBe('ok')
    expect(await verdict(token, { proof, isFirst })).toBe('401 invalid_dpop_proof replay')
  })

  it('says what it wants, as RFC 9449 has it, and nothing where another token would not help', async () => {
    const refused = await verifyCredential(shown(null))
    expect(!refused.ok && challenge(refused)).toBe(
      'DPoP error="invalid_token", error_description="missing", algs="ES256 Ed25519 EdDSA"',
    )
    const load = () => Promise.reject(new Error('down'))
    const away = await verifyCredential(
      shown(token, { keys: createCredentialKeys({ issuer: ISSUER, load }) }),
    )
    expect(away).toMatchObject({ ok: false, status: 503, code: 'unavailable', reason: 'keys' })
    expect(!away.ok && challenge(away)).toBeNull()
  })
})

describe('the proofs that were seen', () => {
  it('of one key do not take the room of others, and their room is there again when they are over', () => {
    let now = NOW
    const isFirst = createProofStore(() => now)
    const until = new Date(NOW.getTime() + 60_000)
    const many = Array.from({ length: 10_000 }, (_, n) => isFirst(`one ${String(n)}`, until))
    expect(many).not.toContain(false)
    expect(isFirst('one more', until)).toBe(false)
    expect(isFirst('other 1', until)).toBe(true)
    expect(isFirst('other 1', until)).toBe(false)
    now = new Date(until.getTime() + 1)
    expect(isFirst('one more', new Date(now.getTime() + 1))).toBe(true)
    expect(isFirst('one 1', new Date(now.getTime() + 1))).toBe(true)
  })
})

describe('the published keys', () => {
  it('are asked for again also where whoever loads them threw at once', async () => {
    let loads = 0
    const load = () => {
      loads += 1
      if (loads === 1) throw new SyntaxError('half a file')
      return Promise.resolve(publicJwks([OURS]))
    }
    const keys = createCredentialKeys({ issuer: ISSUER, load })
    await expect(keys.current()).rejects.toThrow('cannot be had')
    expect(await keys.current()).toHaveLength(1)
  })

  function source() {
    const at = { ms: 0, loads: 0, keys: [OURS] as SigningKey[], isDown: false }
    const load = () => {
      at.loads += 1
      const [first, ...more] = at.keys
      if (at.isDown || first === undefined) return Promise.reject(new Error('down'))
      return Promise.resolve(publicJwks([first, ...more]))
    }
    return { at, keys: createCredentialKeys({ issuer: ISSUER, load, elapsed: () => at.ms }) }
  }

  it('[F45] are asked for again when a credential names one that is not among them', async () => {
    const { at, keys } = source()
    const next = aKey('cdp-2')
    expect(await verdict(await tokenOf(), { keys })).toBe('ok')
    at.keys = [next, OURS]
    at.ms = 10_000
    expect(await verdict(await tokenOf({}, next), { keys })).toBe('ok')
    expect(await verdict(await tokenOf(), { keys })).toBe('ok')
    expect(at.loads).toBe(2)
  })

  it('[F45] are asked for again every ten seconds at most, however many unknown names come', async () => {
    const { at, keys } = source()
    const unknown = await tokenOf({}, aKey('cdp-9'))
    for (let n = 0; n < 20; n += 1) await verdict(unknown, { keys })
    expect(at.loads).toBe(1)
    at.ms = 10_000
    await Promise.all(Array.from({ length: 20 }, () => verdict(unknown, { keys })))
    expect(at.loads).toBe(2)
  })

  it('[F45] are not believed longer than five minutes, and one that is gone is refused by then', async () => {
    const { at, keys } = source()
    expect(await verdict(await tokenOf(), { keys })).toBe('ok')
    at.isDown = true
    at.ms = 299_999
    expect(await verdict(await tokenOf(), { keys })).toBe('ok')
    at.ms = 300_000
    expect(await verdict(await tokenOf(), { keys })).toBe('503 unavailable keys')
    ;[at.isDown, at.keys] = [false, [aKey('cdp-2')]]
    expect(await verdict(await tokenOf(), { keys })).toBe('401 invalid_token kid')
  })
})

it('a service shows who it is by a signature over five claims and a name for this one request', () => {
  const key = createPrivateKey({ key: HOLDER.exportJwk(), format: 'jwk' })
  const one = serviceAssertion({ name: 'payments-api', issuer: ISSUER, key }, NOW)
  expect(one).not.toBe(serviceAssertion({ name: 'payments-api', issuer: ISSUER, key }, NOW))
})
