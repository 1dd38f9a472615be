/** Signs whatever a test wants signed: right, or wrong in one way. */
import { constants, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { sha256 } from '../../src/domain/digest.ts'

export interface Holder {
  readonly alg: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** Public members, with a `kid`. */
  readonly jwk: Record<string, string>
  readonly jkt: string
}

type Kind = 'ES256' | 'Ed25519' | 'RS256' | 'PS256' | 'ES384'

export function aHolder(alg: Kind = 'ES256', kid = 'k1'): Holder {
  const pair = pairFor(alg)
  const jwk = pair.publicKey.export({ format: 'jwk' }) as Record<string, string>
  const { crv = '', kty = '', x = '', y } = jwk
  const members = y === undefined ? { crv, kty, x } : { crv, kty, x, y }
  return { alg, ...pair, jwk: { ...jwk, kid }, jkt: sha256(JSON.stringify(members)) }
}

function pairFor(alg: Kind) {
  if (alg === 'Ed25519') return generateKeyPairSync('ed25519')
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' })
  return generateKeyPairSync('rsa', { modulusLength: 2048 })
}

type Part = Record<string, unknown> | string
const encode = (part: Part) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** header.payload.signature; texts are taken as they are. */
export function compact(header: Part, payload: Part, holder: Holder): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${signatureOf(input, holder).toString('base64url')}`
}

function signatureOf(input: string, { alg, privateKey: key }: Holder): Buffer {
  const padding = alg === 'PS256' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING
  const data = Buffer.from(input)
  if (alg === 'Ed25519') return sign(null, data, key)
  if (key.asymmetricKeyType === 'rsa') return sign('sha256', data, { key, padding, saltLength: 32 })
  const hash = alg === 'ES384' ? 'sha384' : 'sha256'
  return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' })
}

/** A JWT by this holder; `header` and `claims` override, `undefined` leaves out. */
export function jwt(
  holder: Holder,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): string {
  return compact({ alg: holder.alg, kid: holder.jwk['kid'], ...header }, claims, holder)
}

export interface ProofParts {
  readonly claims?: Record<string, unknown>
  readonly header?: Record<string, unknown>
  /** Who signs, where it is not the one whose key is shown. */
  readonly by?: Holder
}

/** A DPoP proof as RFC 9449 wants it; parts override, `undefined` leaves out. */
export function proof(
  holder: Holder,
  about: {
    method: string
    url: string
    now: Date
    token?: string
    nonce?: string
    body?: Uint8Array
  },
  { claims = {}, header = {}, by = holder }: ProofParts = {},
): string {
  const { kid: _, ...jwk } = holder.jwk
  const { method, url, now, token, nonce, body } = about
  const payload = {
    ...{ jti: randomUUID(), htm: method, htu: url, iat: Math.floor(now.getTime() / 1000), nonce },
    ...(token !== undefined && { ath: sha256(token) }),
    ...(body && body.length > 0 && { body_sha256: sha256(body) }),
    ...claims,
  }
  return compact({ typ: 'dpop+jwt', alg: holder.alg, jwk, ...header }, payload, by)
}
