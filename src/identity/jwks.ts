/** Other people's JWK Sets: which of the keys in one are fit to verify with. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { isObject, type Json } from '../domain/json.ts'
import { type Algorithm, fits } from './algorithms.ts'

const MAX_KEYS = 100
const MIN_RSA_BITS = 2048
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const USES = [undefined, 'sig', 'jwt-svid'] // the last is what SPIFFE bundles say

export interface VerifyKey {
  readonly key: KeyObject
  /** The one algorithm that its owner allows, or `null` for those that fit the key. */
  readonly algorithm: string | null
}

/** The fit keys by `kid`; unfit ones are left out. Throws when there are too many to be a key set. */
export function readJwks({ keys }: { readonly keys?: Json }): ReadonlyMap<string, VerifyKey> {
  if (!Array.isArray(keys)) throw new TypeError('not a JWK Set')
  if (keys.length > MAX_KEYS)
    throw new RangeError(`a JWK Set of more than ${String(MAX_KEYS)} keys`)
  const fit = new Map<string, VerifyKey>()
  for (const jwk of keys) {
    const key = readVerifyKey(jwk)
    const kid = isObject(jwk) ? jwk['kid'] : undefined
    if (key !== null && typeof kid === 'string' && !fit.has(kid)) fit.set(kid, key)
  }
  return fit
}

/** `null` for keys that are symmetric, private, short, for another use, or of a kind we do not know. */
export function readVerifyKey(jwk: Json): VerifyKey | null {
  if (!isObject(jwk) || PRIVATE.some((name) => name in jwk)) return null
  const { use, key_ops: operations, alg } = jwk
  if (!USES.some((fit) => fit === use)) return null
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return null
  }
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    const { modulusLength } = key.asymmetricKeyDetails ?? {}
    if (key.asymmetricKeyType === 'rsa' && (modulusLength ?? 0) < MIN_RSA_BITS) return null
    return { key, algorithm: typeof alg === 'string' ? alg : null }
  } catch {
    return null // Not a key that can be read: unfit like the others.
  }
}

/** Whether this key may sign like that: its owner's word where there is one, and its kind. */
export function allows({ key, algorithm }: VerifyKey, named: Algorithm): boolean {
  return (algorithm === null || family(algorithm) === family(named)) && fits(named, key)
}

/** The two names of one algorithm. */
const family = (name: string) => (name === 'EdDSA' ? 'Ed25519' : name)
