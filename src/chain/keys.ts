/** Keys of a chain: P-256 with ES256, Ed25519 with Ed25519, and nothing else. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { type Digest, isDigest, sha256 } from '../domain/digest.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'

export type Alg = 'ES256' | 'Ed25519'
/** The keys that roots may be signed with, by `kid`. */
export type RootKeys = Pick<ReadonlyMap<string, KeyObject>, 'get'>

export interface PublicJwk {
  readonly jwk: JsonObject
  /** RFC 7638. */
  readonly jkt: Digest
}

/** Exactly `crv kty x y` of P-256 or `crv kty x` of Ed25519, in their one spelling; or `null`. */
export function publicJwk(value: Json | undefined): PublicJwk | null {
  if (!isObject(value)) return null
  const { crv, kty, x, y, ...others } = value
  if (Object.keys(others).length > 0 || !isCoordinate(x)) return null
  if (kty === 'EC' && crv === 'P-256' && isCoordinate(y)) {
    const text = `{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`
    return { jwk: { crv, kty, x, y }, jkt: sha256(text) }
  }
  if (kty === 'OKP' && crv === 'Ed25519' && y === undefined) {
    return { jwk: { crv, kty, x }, jkt: sha256(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`) }
  }
  return null
}

/** 32 octets, as a digest has: the unused bits of the last character are zero. */
const isCoordinate = (text: Json | undefined): text is string =>
  typeof text === 'string' && isDigest(text)

/** The key, or `null` where the coordinates are those of no point. */
export function keyOf({ jwk }: Pick<PublicJwk, 'jwk'>): KeyObject | null {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch {
    return null
  }
}

/** Root keys from a JWK Set. A key of another form, for another use or without a `kid` is none. */
export function rootKeysOf(jwks: JsonObject): ReadonlyMap<string, KeyObject> {
  const keys = new Map<string, KeyObject>()
  for (const entry of Array.isArray(jwks['keys']) ? jwks['keys'] : []) {
    if (!isObject(entry) || typeof entry['kid'] !== 'string') continue
    const { kid, alg, use, key_ops: _operations, ...members } = entry
    const jwk = publicJwk(members)
    const key = jwk && keyOf(jwk)
    const isFitting = alg === undefined || (key !== null && alg === algOf(key))
    if (key && isFitting && (use === undefined || use === 'sig')) keys.set(kid, key)
  }
  return keys
}

/** The public halves of a broker's own set, as it is whenever one is asked for. */
export function rootKeysIn(
  keys: readonly { readonly kid: string; readonly publicKey: KeyObject }[],
): RootKeys {
  return { get: (kid) => keys.find((key) => key.kid === kid)?.publicKey }
}

/** The one algorithm that a key signs with, or `null` for a key that has no place in a chain. */
export function algOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): Alg | null {
  if (asymmetricKeyType === 'ed25519') return 'Ed25519'
  return asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'ES256' : null
}

/** Both algorithms sign with 64 octets. ES256 is `r` and `s`, never DER. */
const SIGNATURE_BYTES = 64

/** Whether the key signed the input. The algorithm is the key's own; `alg` only has to name it. */
export function isSignedBy(
  key: KeyObject,
  { alg, input, signature }: { alg: string; input: string; signature: Uint8Array },
): boolean {
  if (key.type !== 'public' || algOf(key) !== alg) return false
  if (signature.length !== SIGNATURE_BYTES) return false
  const hash = alg === 'ES256' ? 'sha256' : null
  return verify(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }, signature)
}
