import { createSecretKey, randomBytes } from 'node:crypto'
import { calculateJwkThumbprint, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/domain/digest.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { checkProof, type Expected } from '../../src/identity/dpop.ts'
import { createNonces } from '../../src/identity/nonce.ts'
import { aHolder, compact, proof, type ProofParts } from './signing.ts'

const NOW = new Date('2026-11-20T12:00:00Z')
const IAT = NOW.getTime() / 1000
const URL = 'https://broker.example/v1/credentials'
const TOKEN = 'a.session.token'
const BODY = Buffer.from('{"tool":"payments.refund"}')
const nonces = createNonces(createSecretKey(randomBytes(32)), true)
const nonce = nonces.current(NOW)
const holder = aHolder()
const other = aHolder()
const about = { method: 'POST', url: URL, now: NOW, token: TOKEN, nonce, body: BODY }
const expected: Expected = {
  ...{ method: 'POST', url: URL, body: BODY, isBodyBound: true, nonces, now: NOW },
  session: { token: TOKEN, jkt: holder.jkt },
}

/** What the check says of this proof: `accepted`, or its reason. */
function said(header: string | null, changed: Partial<Expected> = {}): string {
  try {
    checkProof(header, { ...expected, ...changed })
    return 'accepted'
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    return error.shown.reason ?? error.code
  }
}
const saidOf = (parts: ProofParts) => said(proof(holder, about, parts))
const claiming = (claims: Record<string, unknown>) => saidOf({ claims })
const heading = (header: Record<string, unknown>) => saidOf({ header })

describe('a DPoP proof', () => {
  it.each(['ES256', 'Ed25519'] as const)('made by jose is accepted (%s)', async (alg) => {
    const {
      privateKey,
      jwk: { kid: _, ...jwk },
    } = aHolder(alg)
    const made = await new SignJWT({ htm: 'POST', htu: URL, nonce, body_sha256: sha256(BODY) })
      .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk })
      .setJti('0123456789')
      .setIssuedAt(NOW)
      .sign(privateKey)
    const { jkt, jti, usableUntil } = checkProof(made, { ...expected, session: null })
    expect(jkt).toBe(await calculateJwkThumbprint(jwk))
    expect(jti).toBe('0123456789')
    expect(usableUntil).toEqual(new Date((IAT + 70) * 1000))
  })

  it('[DPP-01] is there, and there once', () => {
    const one = proof(holder, about)
    expect(said(null)).toBe('dpop_missing')
    expect(said(`${one}, ${one}`)).toBe('dpop_multiple')
    expect(said('')).toBe('dpop_format')
    expect(said(one)).toBe('accepted')
  })

  it('is one well-formed JWT', () => {
    const one = proof(holder, about)
    const [head = '', body = '', tail = ''] = one.split('.')
    expect(said(`${one}=`)).toBe('dpop_bad_signature')
    expect(said(`${one}.${tail}`)).toBe('dpop_format')
    expect(said(`${head}.${body}`)).toBe('dpop_format')
    expect(said(` ${one}`)).toBe('dpop_format')
    expect(said(compact('[]', '{}', holder))).toBe('dpop_format')
    expect(said(compact(`{"typ":"dpop+jwt","typ":"dpop+jwt"}`, '{}', holder))).toBe(
      'dpop_duplicate_claim',
    )
    expect(claiming({ padding: 'x'.repeat(4096) })).toBe('dpop_too_large')
    expect(said(one)).toBe('accepted')
  })

  it('is typed as one, under an algorithm that fits its key', () => {
    expect(heading({ typ: 'JWT' })).toBe('dpop_typ')
    expect(heading({ typ: 'DPoP+jwt' })).toBe('dpop_typ')
    for (const alg of ['none', 'HS256', 'RS256', 'ES384', undefined]) {
      expect(heading({ alg })).toBe('dpop_alg')
    }
    expect(heading({ alg: 'EdDSA' })).toBe('dpop_bad_signature')
    const edward = aHolder('Ed25519')
    const session = { token: TOKEN, jkt: edward.jkt }
    expect(said(proof(edward, about, { header: { alg: 'EdDSA' } }), { session })).toBe('accepted')
    expect(said(proof(edward, about, { header: { alg: 'ES256' } }), { session })).toBe(
      'dpop_bad_signature',
    )
  })

  it.each([{ crit: ['exp'] }, { b64: false }, { jku: 'https://evil.example' }, { x5c: ['x'] }])(
    'has no header that changes how it is read: %o',
    (header) => {
      expect(heading(header)).toMatch(/^dpop_(format|header_not_allowed)$/)
      expect(heading({})).toBe('accepted')
    },
  )

  it('[DPP-04] shows a public key, and no other', () => {
    const { jwk } = holder
    const { d } = holder.privateKey.export({ format: 'jwk' })
    expect(heading({ jwk: undefined })).toBe('dpop_jwk')
    expect(heading({ jwk: { ...jwk, d } })).toBe('dpop_private_jwk')
    expect(heading({ jwk: { kty: 'oct', k: 'AAAA' } })).toBe('dpop_private_jwk')
    expect(heading({ jwk: { ...jwk, crv: 'P-384' } })).toBe('dpop_jwk')
    expect(heading({ jwk: { ...jwk, x: Buffer.alloc(32, 1).toString('base64url') } })).toBe(
      'dpop_jwk',
    )
    expect(heading({ jwk: { ...jwk, x: `${String(jwk['x'])}=` } })).toBe('dpop_jwk')
    expect(heading({})).toBe('accepted')
  })

  it('[DPP-04] does not say the private key that it was shown', () => {
    const { d = '' } = holder.privateKey.export({ format: 'jwk' })
    const header = { jwk: { ...holder.jwk, d } }
    try {
      checkProof(proof(holder, about, { header }), expected)
    } catch (error) {
      const { message, shown, stack } = error as BrokerError
      expect(JSON.stringify({ message, shown, stack })).not.toContain(d)
      return
    }
    expect.unreachable('a private key was accepted')
  })

  it('[DPP-06] may describe its key further, and the thumbprint stays', () => {
    expect(heading({ jwk: { ...holder.jwk, kid: 'x', use: 'sig', alg: 'ES256' } })).toBe('accepted')
  })

  it('[DPP-07] is signed by the key that it shows', () => {
    expect(saidOf({ by: other })).toBe('dpop_bad_signature')
    const made = proof(holder, about)
    const input = made.slice(0, made.lastIndexOf('.'))
    expect(said(`${input}.${Buffer.alloc(64).toString('base64url')}`)).toBe('dpop_bad_signature')
    expect(said(`${input}.`)).toBe('dpop_bad_signature')
    expect(said(made)).toBe('accepted')
  })

  it('[DPP-08] names the method, in upper case', () => {
    expect(claiming({ htm: 'GET' })).toBe('dpop_htm')
    expect(claiming({ htm: 'post' })).toBe('dpop_htm')
    expect(claiming({ htm: undefined })).toBe('dpop_claims')
    expect(claiming({})).toBe('accepted')
  })

  it('[DPP-09] [DPP-10] [DPP-11] names where it goes, however that is written', () => {
    for (const htu of [
      'https://evil.example/v1/credentials',
      'http://broker.example/v1/credentials',
      'https://broker.example',
      `${URL}/`,
      'https://broker.example/v1/x/../credentials',
      'http://10.0.0.7:8787/v1/credentials',
    ]) {
      expect(claiming({ htu })).toBe('dpop_htu')
    }
    expect(claiming({ htu: 7 })).toBe('dpop_claims')
    expect(claiming({ htu: 'HTTPS://BROKER.example:443/v1/credentials?x#y' })).toBe('accepted')
  })

  it('[DPP-12] is at most 70 s old and 10 s early', () => {
    for (const iat of [IAT - 71, IAT + 11, String(IAT), undefined, null]) {
      expect(claiming({ iat })).toBe('dpop_iat')
    }
    expect(claiming({ iat: IAT - 70 })).toBe('accepted')
    expect(claiming({ iat: IAT + 10 })).toBe('accepted')
  })

  it('[DPP-18] has an id of 8 to 128 plain characters', () => {
    for (const jti of [
      undefined,
      '',
      '1234567',
      'x'.repeat(129),
      'x'.repeat(2000),
      'evil\n{"x":1}',
      7,
    ]) {
      expect(claiming({ jti })).toBe('dpop_jti')
    }
    expect(claiming({ jti: 'x'.repeat(128) })).toBe('accepted')
  })

  it('[DPP-19] is bound to the token it comes with, and to none where there is none', () => {
    expect(claiming({ ath: undefined })).toBe('dpop_ath')
    expect(claiming({ ath: sha256('another') })).toBe('dpop_ath')
    expect(said(proof(holder, about), { session: null })).toBe('dpop_ath')
    const unbound = proof(holder, { ...about, token: undefined as unknown as string })
    expect(said(unbound, { session: null })).toBe('accepted')
  })

  it('[DPP-20] is by the key that the session is bound to', () => {
    expect(said(proof(other, about))).toBe('dpop_key_mismatch')
    expect(said(proof(holder, about))).toBe('accepted')
  })

  it('[DPP-22] carries a nonce of ours, where that is asked', () => {
    expect(claiming({ nonce: undefined })).toBe('use_dpop_nonce')
    expect(claiming({ nonce: 'random' })).toBe('use_dpop_nonce')
    expect(claiming({ nonce: 7 })).toBe('use_dpop_nonce')
    const optional = { nonces: { ...nonces, isRequired: false } }
    expect(said(proof(holder, about, { claims: { nonce: undefined } }), optional)).toBe('accepted')
    expect(said(proof(holder, about, { claims: { nonce: 'random' } }), optional)).toBe(
      'use_dpop_nonce',
    )
  })

  it('to somebody else may carry their nonce, which is not ours to judge', () => {
    const header = proof(holder, about, { claims: { nonce: 'theirs' } })
    expect(said(header, { nonces: null })).toBe('accepted')
    expect(said(header)).toBe('use_dpop_nonce')
  })

  it('[DPP-23] covers the body, byte for byte', () => {
    expect(claiming({ body_sha256: undefined })).toBe('dpop_body_sha256')
    expect(claiming({ body_sha256: sha256('{}') })).toBe('dpop_body_sha256')
    expect(said(proof(holder, about), { body: Buffer.from('{"tool":"other"}') })).toBe(
      'dpop_body_sha256',
    )
    expect(said(proof(holder, about), { body: Buffer.alloc(0) })).toBe('dpop_body_sha256')
    const bodiless = proof(holder, { ...about, body: Buffer.alloc(0) })
    expect(said(bodiless, { body: Buffer.alloc(0) })).toBe('accepted')
    expect(said(bodiless, { isBodyBound: false })).toBe('accepted')
    expect(claiming({})).toBe('accepted')
  })

  it('hashes the body as the contract says', () => {
    const body = Buffer.from(
      '{"tool":"payments.refund","arguments":{"amount":900,"currency":"EUR","order_id":"EU-2026/10231"},"purpose":"support.refunds.goodwill","ttl_seconds":60}',
    )
    const claims = { body_sha256: 'ISg1Yqq0wdMxx52oAclMdXZ3RUvzxwfbIL6GUAf94G0' }
    expect(said(proof(holder, about, { claims }), { body })).toBe('accepted')
  })
})
