/** The key in a DPoP proof, and other keys that agents hold: P-256 or Ed25519, public, one spelling. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { sha256 } from '../domain/digest.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import { JwsError } from '../domain/jws.ts'

export interface InstanceKey {
  /** RFC 7638 thumbprint. */
  readonly jkt: string
  readonly key: KeyObject
  /** The members that make the key, and no other. */
  readonly jwk: JsonObject
}

const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

/** The members and thumbprint of a public JWK. Extra public members are ignored. Throws `JwsError`. */
export function membersOf(jwk: Json | undefined): Omit<InstanceKey, 'key'> {
  if (!isObject(jwk)) throw new JwsError('jwk')
  if (PRIVATE.some((name) => name in jwk)) throw new JwsError('private_jwk')
  const { kty, crv, x, y } = jwk
  if (kty === 'EC' && crv === 'P-256' && is32Octets(x) && is32Octets(y)) {
    return {
      jwk: { crv, kty, x, y },
      jkt: sha256(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`),
    }
  }
  if (kty === 'OKP' && crv === 'Ed25519' && is32Octets(x)) {
    return { jwk: { crv, kty, x }, jkt: sha256(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`) }
  }
  throw new JwsError('jwk')
}

/** Reads the key itself; throws `JwsError` where the point is not on the curve. */
export function readInstanceKey(jwk: Json | undefined): InstanceKey {
  const members = membersOf(jwk)
  try {
    return { ...members, key: createPublicKey({ key: members.jwk, format: 'jwk' }) }
  } catch (cause) {
    throw new JwsError('jwk', { cause })
  }
}

/** In the one spelling that 32 octets have, so that a key has one thumbprint. */
function is32Octets(text: Json | undefined): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text)
}
