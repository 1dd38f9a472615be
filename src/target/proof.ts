/** A DPoP proof as a target checks it: RFC 9449 §4.3, but for replays, which its own store knows. */
import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { sha256 } from '../domain/digest.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import { JwsError, objectIn, octetsOf } from '../domain/jws.ts'

const MAX_BYTES = 4096
const LIFE_SECONDS = 60
const SKEW_SECONDS = 10
const JTI = /^[A-Za-z0-9._~-]{8,128}$/
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']

export interface Expected {
  readonly token: string
  /** `cnf.jkt` of the token. */
  readonly jkt: string
  readonly method: string
  /** Where the call was sent, by the target's own word: never from `Host`. */
  readonly url: string
  readonly now: Date
}

export interface Proof {
  readonly jti: string
  /** Until when a copy of it would pass all of these checks. */
  readonly usableUntil: Date
}

/** @throws JwsError with the check that failed */
export function checkProof(header: string | null, expected: Expected): Proof {
  if (header === null || header === '') throw new JwsError('missing')
  if (header.includes(',')) throw new JwsError('multiple')
  if (header.length > MAX_BYTES) throw new JwsError('too_large')
  const { claims, jkt } = signed(header)
  const { jti, htm, htu, iat, ath } = claims
  if (typeof jti !== 'string' || !JTI.test(jti)) throw new JwsError('jti')
  if (htm !== expected.method) throw new JwsError('htm')
  const place = typeof htu === 'string' ? placeOf(htu) : null
  if (place === null || place !== placeOf(expected.url)) throw new JwsError('htu')
  const now = expected.now.getTime() / 1000
  if (typeof iat !== 'number' || iat > now + SKEW_SECONDS) throw new JwsError('iat')
  if (iat < now - LIFE_SECONDS - SKEW_SECONDS) throw new JwsError('iat')
  if (ath !== sha256(expected.token)) throw new JwsError('ath')
  if (jkt !== expected.jkt) throw new JwsError('key_mismatch')
  return { jti, usableUntil: new Date((iat + LIFE_SECONDS + SKEW_SECONDS) * 1000) }
}

/** Three parts, signed by the key that the header shows. */
function signed(proof: string): { claims: JsonObject; jkt: string } {
  const [head = '', body = '', tail = '', ...more] = proof.split('.')
  if (more.length > 0) throw new JwsError('format')
  const header = objectIn(octetsOf(head, 'format'), 'format')
  const { typ, alg, jwk } = header
  const claims = objectIn(octetsOf(body, 'format'), 'format')
  if (typ !== 'dpop+jwt') throw new JwsError('typ')
  if (['crit', 'b64', 'zip', 'jku', 'x5c', 'x5u'].some((name) => name in header)) {
    throw new JwsError('header_not_allowed')
  }
  const { jkt, key, kind } = keyIn(jwk)
  const fits = kind === 'EC' ? alg === 'ES256' : alg === 'Ed25519' || alg === 'EdDSA'
  if (!fits) throw new JwsError('alg')
  const signature = octetsOf(tail, 'bad_signature')
  const hash = kind === 'EC' ? 'sha256' : null
  const isOurs =
    signature.length === 64 &&
    verify(hash, Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' }, signature)
  if (!isOurs) throw new JwsError('bad_signature')
  return { claims, jkt }
}

function keyIn(jwk: Json | undefined): { jkt: string; key: KeyObject; kind: 'EC' | 'OKP' } {
  if (!isObject(jwk)) throw new JwsError('jwk')
  if (PRIVATE.some((name) => name in jwk)) throw new JwsError('private_jwk')
  const { kty, crv, x, y } = jwk
  if (typeof x !== 'string' || octetsOf(x, 'jwk').length !== 32) throw new JwsError('jwk')
  if (kty === 'OKP' && crv === 'Ed25519') {
    const jkt = sha256(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)
    return { jkt, key: imported({ crv, kty, x }), kind: kty }
  }
  if (kty !== 'EC' || crv !== 'P-256') throw new JwsError('jwk')
  if (typeof y !== 'string' || octetsOf(y, 'jwk').length !== 32) throw new JwsError('jwk')
  const jkt = sha256(`{"crv":"P-256","kty":"EC","x":"${x}","y":"${y}"}`)
  return { jkt, key: imported({ crv, kty, x, y }), kind: kty }
}

function imported(jwk: JsonObject): KeyObject {
  try {
    return createPublicKey({ key: jwk, format: 'jwk' })
  } catch (cause) {
    throw new JwsError('jwk', { cause })
  }
}

/** Without query and fragment (§4.3); `null` where it is no address, or has a dot segment. */
function placeOf(address: string): string | null {
  if (/\/(\.|%2e){1,2}([/?#]|$)/i.test(address) || !URL.canParse(address)) return null
  const { protocol, host, pathname, username, password } = new URL(address)
  const isPlain = username === '' && password === '' && /^https?:$/.test(protocol)
  return isPlain ? `${protocol}//${host}${pathname}` : null
}
