/** Signature algorithms by their JOSE names. Which of them an artifact may use, each verifier lists. */
import { constants, type KeyObject, verify } from 'node:crypto'

const PSS = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
}
const PKCS1 = { padding: constants.RSA_PKCS1_PADDING }
/** ES signatures are raw: twice the size of the curve, never DER. */
const RAW = { dsaEncoding: 'ieee-p1363' } as const

interface Row {
  readonly key: string
  readonly hash: string | null
  readonly options: object
  /** Octets of a signature, where that is fixed. */
  readonly size?: number
}

// prettier-ignore
const ROWS = {
  RS256:   { key: 'rsa',        hash: 'sha256', options: PKCS1 },
  RS384:   { key: 'rsa',        hash: 'sha384', options: PKCS1 },
  RS512:   { key: 'rsa',        hash: 'sha512', options: PKCS1 },
  PS256:   { key: 'rsa',        hash: 'sha256', options: PSS },
  PS384:   { key: 'rsa',        hash: 'sha384', options: PSS },
  PS512:   { key: 'rsa',        hash: 'sha512', options: PSS },
  ES256:   { key: 'prime256v1', hash: 'sha256', options: RAW, size: 64 },
  ES384:   { key: 'secp384r1',  hash: 'sha384', options: RAW, size: 96 },
  ES512:   { key: 'secp521r1',  hash: 'sha512', options: RAW, size: 132 },
  Ed25519: { key: 'ed25519',    hash: null,     options: {},  size: 64 },
  EdDSA:   { key: 'ed25519',    hash: null,     options: {},  size: 64 },
} as const satisfies Record<string, Row>
export type Algorithm = keyof typeof ROWS

/** Whether the algorithm is one that this key can have: the algorithm is a property of the key. */
export function fits(algorithm: Algorithm, key: KeyObject): boolean {
  return key.type === 'public' && ROWS[algorithm].key === kindOf(key)
}

/** False also for a signature that is not one, whatever its form. */
export function isSignedBy(
  key: KeyObject,
  algorithm: Algorithm,
  input: string,
  signature: Uint8Array,
): boolean {
  const { hash, options, size }: Row = ROWS[algorithm]
  if (!fits(algorithm, key) || (size !== undefined && signature.length !== size)) return false
  return verify(hash, Buffer.from(input), { key, ...options }, signature)
}

function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  return asymmetricKeyType === 'ec' ? asymmetricKeyDetails?.namedCurve : asymmetricKeyType
}
