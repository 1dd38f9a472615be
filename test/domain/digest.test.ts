import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf, isDigest, sameDigest, sha256, sha256Bytes } from '../../src/domain/digest.ts'
import { readJson } from '../../src/domain/json.ts'

describe('digests', () => {
  it('are SHA-256 in base64url without padding', () => {
    expect(sha256('')).toBe('47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU')
    expect(sha256('abc')).toBe(sha256(Buffer.from('abc')))
    expect(sha256Bytes('a', Buffer.from('bc')).toString('base64url')).toBe(sha256('abc'))
  })

  it('hash the canonical form, whatever the order and white space [ARG-07]', () => {
    const known = '-tjnSW1RMBrdHWdz2N6Wnh6qxlNK4MYWsNi6OruJ21s'
    const sent = '{ "order_id": "EU-2026\\/10231",\n "currency": "EUR", "amount": 9e2 }'
    expect(digestOf({ amount: 900, currency: 'EUR', order_id: 'EU-2026/10231' })).toBe(known)
    expect(digestOf(readJson(Buffer.from(sent)))).toBe(known)
  })

  it('differ for values that differ, also by Unicode form or by type [ARG-05] [ARG-10]', () => {
    const values = [{ a: 'é' }, { a: 'e\u0301' }, { a: '5' }, { a: 5 }, { a: null }, {}]
    expect(new Set(values.map(digestOf)).size).toBe(values.length)
  })

  it('have one spelling', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        const digest = sha256(data)
        expect(isDigest(digest)).toBe(true)
        expect(digest).toBe(createHash('sha256').update(data).digest('base64url'))
      }),
      { numRuns: 100 },
    )
    expect(isDigest('47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFV')).toBe(false)
    expect(isDigest('47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=')).toBe(false)
  })

  it('compare as equal only when they are', () => {
    expect(sameDigest(sha256('a'), sha256('a'))).toBe(true)
    expect(sameDigest(sha256('a'), sha256('b'))).toBe(false)
    expect(sameDigest(sha256('a'), '')).toBe(false)
  })
})
