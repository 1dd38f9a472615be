import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/domain/digest.ts'
import { BrokerError } from '../../src/domain/problems.ts'
import { checkProof, type Expected } from '../../src/identity/dpop.ts'
import { normalised } from '../../src/identity/htu.ts'
import { createNonces } from '../../src/identity/nonce.ts'
import { aHolder, proof } from './signing.ts'

const NOW = new Date('2026-11-20T12:00:00Z')
const URL = 'https://broker.example/v1/credentials'
const holder = aHolder()
const nonces = createNonces(createSecretKey(randomBytes(32)), true)
const about = { method: 'POST', url: URL, now: NOW, nonce: nonces.current(NOW) }
const expected: Expected = {
  ...{ method: 'POST', url: URL, body: new Uint8Array(), isBodyBound: true, nonces, now: NOW },
  session: null,
}

function refusal(claims: Record<string, unknown>, changed: Partial<Expected> = {}): BrokerError {
  checkProof(proof(holder, about), expected)
  try {
    checkProof(proof(holder, about, { claims }), { ...expected, ...changed })
  } catch (error) {
    if (error instanceof BrokerError) return error
    throw error
  }
  throw new Error('it was accepted')
}

describe('a DPoP proof, at its edges', () => {
  it('[DPP-23] over no body has no hash of it, right or wrong', () => {
    expect(refusal({ body_sha256: sha256('') }).shown.reason).toBe('dpop_body_sha256')
  })

  it('[DPP-09] is for no address where none can be compared, even the very same text', () => {
    const url = 'https://broker.example/v1/../credentials'
    expect(refusal({ htu: url }, { url }).shown.reason).toBe('dpop_htu')
  })

  it('[DPP-22] tells the log that the nonce was missing', () => {
    expect(refusal({ nonce: undefined }).message).toBe('dpop_nonce')
  })
})

describe('the address in a proof, at its edges', () => {
  it('[DPP-10] keeps an escape that means something, in upper case', () => {
    expect(normalised('https://b.example/a%2fb')).toBe('https://b.example/a%2Fb')
    expect(normalised('https://b.example/a%2Fb')).toBe('https://b.example/a%2Fb')
  })

  it.each(['%a', '%aZ', '%', 'x%f/'])('[DPP-09] has no half of an escape: %s', (path) => {
    expect(normalised(`https://b.example/${path}`)).toBeNull()
  })
})
