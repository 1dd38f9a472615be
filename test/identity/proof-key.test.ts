import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { JwsError } from '../../src/domain/jws.ts'
import { membersOf, readInstanceKey } from '../../src/identity/proof-key.ts'
import { aHolder } from './signing.ts'

const { kid: _ec, ...ec } = aHolder('ES256').jwk
const { kid: _okp, ...okp } = aHolder('Ed25519').jwk

function refusal(reading: () => unknown): JwsError {
  try {
    reading()
  } catch (error) {
    if (error instanceof JwsError) return error
    throw error
  }
  throw new Error('it was read')
}

describe('the key in a proof', () => {
  it('is the members that make it, whatever else is said of it', () => {
    expect(membersOf({ ...ec, use: 'sig' }).jwk).toEqual(ec)
    expect(membersOf({ ...okp, y: 'not of this kind' }).jwk).toEqual(okp)
  })

  it.each<[string, JsonObject]>([
    ['an Ed25519 key on P-256', { ...ec, kty: 'OKP' }],
    ['a P-256 key without y', { kty: 'EC', crv: 'P-256', x: ec['x'] ?? '' }],
    ['a P-256 key of another curve', { ...ec, crv: 'P-384' }],
    ['a P-256 key with a long y', { ...ec, y: `A${ec['y'] ?? ''}` }],
    ['an EC key on Ed25519', { ...okp, kty: 'EC' }],
    ['a key to agree on secrets by', { ...okp, crv: 'X25519' }],
    ['a short x', { ...okp, x: 'AAAA' }],
    ['a long x', { ...okp, x: `A${okp['x'] ?? ''}` }],
    ['another spelling of the same octets', { ...okp, x: respelled(okp['x'] ?? '') }],
    ['a list that reads as an x', { ...okp, x: [okp['x'] ?? ''] }],
    ['a list that reads as a y', { ...ec, y: [ec['y'] ?? ''] }],
    ['an RSA key', { kty: 'RSA', n: ec['x'] ?? '', e: 'AQAB', x: ec['x'] ?? '' }],
  ])('[DPP-04] is not %s', (_what, jwk) => {
    expect(membersOf(ec)).toBeDefined()
    expect(membersOf(okp)).toBeDefined()
    expect(refusal(() => membersOf(jwk)).message).toBe('jwk')
    expect(refusal(() => readInstanceKey(jwk)).message).toBe('jwk')
  })

  it('[DPP-04] lies on its curve, and the log is told why it does not', () => {
    const off = { ...ec, x: Buffer.alloc(32, 1).toString('base64url') }
    const error = refusal(() => readInstanceKey(off))
    expect([error.message, error.cause]).toEqual(['jwk', expect.any(Error)])
  })
})

/** 43 characters hold 258 bits: the last two of them say nothing. */
function respelled(x: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return x.slice(0, -1) + alphabet.charAt(alphabet.indexOf(x.slice(-1)) + 1)
}
