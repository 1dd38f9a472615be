/** Keys of nobody: verifying with one takes the time that verifying with somebody's would take. */
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import type { JsonObject } from '../domain/json.ts'
import type { Algorithm } from './algorithms.ts'

const CURVES = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' } as const
const made = new Map<string, KeyObject>()

/** Nothing that anybody holds a private key of: what it verifies is always refused. */
export function standInFor(algorithm: Algorithm): KeyObject {
  const kind = algorithm.startsWith('E') ? algorithm : 'RSA'
  const key = made.get(kind) ?? make(kind)
  made.set(kind, key)
  return key
}

/** One of them as it is stored with an agent: reading it takes its time too. */
export const NOBODY = standInFor('ES256').export({ format: 'jwk' }) as JsonObject

function make(kind: string): KeyObject {
  if (kind in CURVES) {
    const namedCurve = CURVES[kind as keyof typeof CURVES]
    return generateKeyPairSync('ec', { namedCurve }).publicKey
  }
  if (kind !== 'RSA') return generateKeyPairSync('ed25519').publicKey
  const modulus = randomBytes(256)
  modulus[0] = (modulus[0] ?? 0) | 0x80
  modulus[255] = (modulus[255] ?? 0) | 1
  const jwk = { kty: 'RSA', n: modulus.toString('base64url'), e: 'AQAB' }
  return createPublicKey({ key: jwk, format: 'jwk' })
}
