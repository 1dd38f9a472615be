/** Our own tokens: compact JWS over canonical JSON, one row a kind. */
import { sign as signBytes, verify as verifyBytes, type KeyObject } from 'node:crypto'
import { canonical, JsonError, type JsonObject, readJson } from './json.ts'
import { sha256 } from './digest.ts'

/**
 * The place where a token is accepted picks its kind; the kind fixes type, issuer and audience. `life`
 * is the longest accepted, in seconds; `null` is a record of something done, which does not expire.
 */
// prettier-ignore
const KINDS = {
  session:    { typ: 'at+jwt',           issuer: '',             audience: '',     life: 600 },
  root:       { typ: 'at+jwt',           issuer: '/roots',       audience: '',     life: 86_400 },
  decision:   { typ: 'pdp-decision+jwt', issuer: '/pdp',         audience: '/cdp', life: 60 },
  credential: { typ: 'at+jwt',           issuer: '/credentials', audience: null,   life: 3600 },
  // The same, back at the broker, where its lease says how long it lasts.
  shown:      { typ: 'at+jwt',           issuer: '/credentials', audience: null,   life: Infinity },
  identity:   { typ: 'JWT',              issuer: '/identity',    audience: null,   life: 60 },
  subject:    { typ: 'JWT',              issuer: '/subjects',    audience: null,   life: 60 },
  consent:    { typ: 'consent+jwt',      issuer: '/evidence',    audience: '',     life: Infinity },
  approval:   { typ: 'approval+jwt',     issuer: '/evidence',    audience: '',     life: null },
} as const satisfies Record<string, TokenRow>
export type TokenKind = keyof typeof KINDS
/** Every kind but that which only the reader knows. */
type Signed = Exclude<TokenKind, 'shown'>

interface TokenRow {
  readonly typ: string
  readonly issuer: string
  /** After the broker's own issuer; `null`: that of a target, an STS or an authorization server. */
  readonly audience: string | null
  readonly life: number | null
}

/** The public half of a key, with its name; the algorithm is a property of the key. */
export interface PublicKey {
  readonly kid: string
  readonly alg: 'ES256' | 'Ed25519'
  readonly publicKey: KeyObject
}
/** Signs, and does not say with what. */
export interface SigningKey extends PublicKey {
  /**
   * ES256 as P1363. With a key in a file it is there at once.
   *
   * @throws BrokerError `unavailable` `keys` where the key is in a token, which does not sign
   */
  sign(octets: Buffer): Buffer | Promise<Buffer>
  /** Of a key in a token that signs, or will. */
  readonly inToken?: InToken | undefined
}
export interface InToken {
  /** Once: it is there, nobody has it, and it signs what the public half verifies. @throws as `sign` */
  prove(): Promise<void>
  /** It is there now. @throws as `sign` */
  look(): Promise<void>
}
/** Signs with the first; verifies with any. */
export type KeySet = readonly [SigningKey, ...SigningKey[]]
/** Verifies, and cannot sign. */
export type PublicKeySet = readonly [PublicKey, ...PublicKey[]]

/** Why a token was not accepted; for the log, never for the caller. */
export class JwsError extends Error {
  override readonly name = 'JwsError'
}

/** A key that is in our memory. */
export function signingKey(key: PublicKey & { readonly privateKey: KeyObject }): SigningKey {
  const { kid, alg, publicKey, privateKey } = key
  const how = { key: privateKey, ...P1363 }
  return { kid, alg, publicKey, sign: (octets) => signBytes(digestOf(alg), octets, how) }
}

export interface Verifier {
  readonly issuer: string
  readonly keys: PublicKeySet
}
export interface Signer extends Verifier {
  readonly keys: KeySet
}

/**
 * Signs `claims` as a token of this kind. `iss` and, for all that is not for others, `aud` are set
 * here, so that no caller can choose them.
 *
 * @throws BrokerError `unavailable` `keys`
 */
export async function signToken(
  kind: Signed,
  claims: JsonObject,
  { issuer, keys }: Signer,
): Promise<string> {
  const { typ, issuer: suffix, audience } = KINDS[kind]
  const [key] = keys
  const payload: JsonObject = { ...claims, iss: issuer + suffix }
  if (audience !== null) payload['aud'] = issuer + audience
  const header = encode(canonical({ alg: key.alg, kid: key.kid, typ }))
  const input = `${header}.${encode(canonical(payload))}`
  const signature = await key.sign(Buffer.from(input))
  return `${input}.${signature.toString('base64url')}`
}

export interface Read {
  readonly claims: JsonObject
  /** The key that it was verified with. */
  readonly kid: string
  /** SHA-256 (base64url) of the signing input. */
  readonly tokenHash: string
}

/**
 * Verifies a token of this kind: bytes canonical, key ours, issuer and audience exact, in its time.
 * Our own tokens are allowed no clock skew.
 *
 * @param audience of a minted credential; the other kinds have their own
 * @throws JwsError
 */
export function readToken(
  kind: TokenKind,
  token: string,
  { issuer, keys }: Verifier,
  { now, audience }: { now: Date; audience?: string },
): Read {
  const row = KINDS[kind]
  const { header, claims, input, signature } = split(token)
  const key = keyFor(header, row.typ, keys)
  if (
    !verifyBytes(digestOf(key.alg), Buffer.from(input), { key: key.publicKey, ...P1363 }, signature)
  ) {
    throw new JwsError('bad_signature')
  }
  if (claims['iss'] !== issuer + row.issuer) throw new JwsError('iss')
  const expected = row.audience === null ? audience : issuer + row.audience
  if (expected === undefined || claims['aud'] !== expected) throw new JwsError('aud')
  checkTimes(claims, now, row.life)
  return { claims, kid: key.kid, tokenHash: sha256(input) }
}

/** Three members and no other: nothing in a token chooses how it is verified, or by which key but ours. */
function keyFor(header: JsonObject, type: string, keys: PublicKeySet): PublicKey {
  const { alg, kid, typ, ...others } = header
  const [other] = Object.keys(others)
  if (other !== undefined) throw new JwsError('header_not_allowed')
  if (alg !== 'ES256' && alg !== 'Ed25519') throw new JwsError('alg_not_allowed')
  if (typ !== type) throw new JwsError('wrong_type')
  const key = keys.find((it) => it.kid === kid)
  if (key === undefined) throw new JwsError('kid')
  if (alg !== key.alg) throw new JwsError('alg_not_allowed')
  return key
}

function checkTimes({ iat, exp }: JsonObject, now: Date, life: number | null): void {
  if (!Number.isSafeInteger(iat)) throw new JwsError('iat')
  if (exp === undefined && life === null) return
  if (!Number.isSafeInteger(exp)) throw new JwsError('exp')
  if (now.getTime() / 1000 >= Number(exp)) throw new JwsError('expired')
  if (life !== null && Number(exp) - Number(iat) > life) throw new JwsError('exp')
}

function split(token: string) {
  const [head, body, tail, ...rest] = token.split('.')
  if (head === undefined || body === undefined || tail === undefined || rest.length > 0) {
    throw new JwsError('format')
  }
  const header = canonicalIn(octetsOf(head, 'format'), 'format')
  // They change how the rest is read, which is therefore not read.
  if (['crit', 'b64', 'zip'].some((name) => name in header)) throw new JwsError('format')
  return {
    header,
    claims: canonicalIn(octetsOf(body, 'format'), 'payload_not_object'),
    input: `${head}.${body}`,
    signature: octetsOf(tail, 'bad_signature'),
  }
}

/** Both parts must be exactly the canonical form of what they parse to. */
function canonicalIn(octets: Buffer, otherwise: string): JsonObject {
  const value = objectIn(octets, otherwise)
  if (canonical(value) !== octets.toString('utf8')) throw new JwsError('non_canonical')
  return value
}

/** One strict JSON object. @throws JwsError; `otherwise` for JSON that is another thing than an object */
export function objectIn(octets: Buffer, otherwise: string): JsonObject {
  try {
    return readJson(octets)
  } catch (cause) {
    const isTwice = cause instanceof JsonError && cause.code === 'duplicate_key'
    const isObject = octets.toString('latin1').trimStart().startsWith('{')
    throw new JwsError(isTwice ? 'duplicate_claim' : isObject ? 'format' : otherwise, { cause })
  }
}

/** Base64url in the one spelling that each value has: no padding, unused bits zero. @throws JwsError */
export function octetsOf(part: string, otherwise: string): Buffer {
  const octets = Buffer.from(part, 'base64url')
  if (octets.toString('base64url') !== part) throw new JwsError(otherwise)
  return octets
}

const P1363 = { dsaEncoding: 'ieee-p1363' } as const
const encode = (text: string) => Buffer.from(text).toString('base64url')
const digestOf = (alg: SigningKey['alg']) => (alg === 'ES256' ? 'sha256' : null)
