/** Our own tokens: compact JWS over canonical JSON, one row a kind. */
import { sign as signBytes, verify as verifyBytes, type KeyObject } from 'node:crypto'
import { canonical, type JsonObject, readJson } from './json.ts'
import { sha256 } from './digest.ts'

/**
 * The place where a token is accepted picks its kind; the kind fixes type, issuer and audience. `life`
 * is the longest accepted, in seconds; `null` is a record of something done, which does not expire.
 */
// prettier-ignore
const KINDS = {
  session:    { typ: 'at+jwt',           issuer: '',             audience: '',     life: 600 },
  decision:   { typ: 'pdp-decision+jwt', issuer: '/pdp',         audience: '/cdp', life: 60 },
  credential: { typ: 'at+jwt',           issuer: '/credentials', audience: null,   life: 3600 },
  consent:    { typ: 'consent+jwt',      issuer: '/evidence',    audience: '',     life: Infinity },
  approval:   { typ: 'approval+jwt',     issuer: '/evidence',    audience: '',     life: null },
} as const satisfies Record<string, TokenRow>
export type TokenKind = keyof typeof KINDS

interface TokenRow {
  readonly typ: string
  readonly issuer: string
  /** After the broker's own issuer; `null`: the audience is a target's. */
  readonly audience: string | null
  readonly life: number | null
}

/** A key with its name; the algorithm is a property of the key. */
export interface SigningKey {
  readonly kid: string
  readonly alg: 'ES256' | 'Ed25519'
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}
/** Signs with the first; verifies with any. */
export type KeySet = readonly [SigningKey, ...SigningKey[]]

/** Why a token was not accepted; for the log, never for the caller. */
export class JwsError extends Error {
  override readonly name = 'JwsError'
}

export interface Signer {
  readonly issuer: string
  readonly keys: KeySet
}

/**
 * Signs `claims` as a token of this kind. `iss` and, for all but minted credentials, `aud` are set
 * here, so that no caller can choose them.
 */
export function signToken(kind: TokenKind, claims: JsonObject, { issuer, keys }: Signer): string {
  const { typ, issuer: suffix, audience } = KINDS[kind]
  const [key] = keys
  const payload: JsonObject = { ...claims, iss: issuer + suffix }
  if (audience !== null) payload['aud'] = issuer + audience
  const header = encode(canonical({ alg: key.alg, kid: key.kid, typ }))
  const input = `${header}.${encode(canonical(payload))}`
  const signature = signBytes(digestOf(key.alg), Buffer.from(input), {
    key: key.privateKey,
    ...P1363,
  })
  return `${input}.${signature.toString('base64url')}`
}

export interface Read {
  readonly claims: JsonObject
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
  { issuer, keys }: Signer,
  { now, audience }: { now: Date; audience?: string },
): Read {
  const row = KINDS[kind]
  const { header, claims, input, signature } = split(token)
  if (header['typ'] !== row.typ || Object.keys(header).length !== 3) throw new JwsError('typ')
  const key = keys.find(({ kid }) => kid === header['kid'])
  if (key === undefined) throw new JwsError('kid')
  if (header['alg'] !== key.alg) throw new JwsError('alg_not_allowed')
  if (
    !verifyBytes(digestOf(key.alg), Buffer.from(input), { key: key.publicKey, ...P1363 }, signature)
  ) {
    throw new JwsError('bad_signature')
  }
  if (claims['iss'] !== issuer + row.issuer) throw new JwsError('iss')
  const expected = row.audience === null ? audience : issuer + row.audience
  if (expected === undefined || claims['aud'] !== expected) throw new JwsError('aud')
  checkTimes(claims, now, row.life)
  return { claims, tokenHash: sha256(input) }
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
  return {
    header: decode(head),
    claims: decode(body),
    input: `${head}.${body}`,
    signature: bytesOf(tail),
  }
}

/** Both parts must be exactly the canonical form of what they parse to. */
function decode(part: string): JsonObject {
  const bytes = bytesOf(part)
  try {
    const value = readJson(bytes)
    if (canonical(value) === bytes.toString('utf8')) return value
  } catch (cause) {
    throw new JwsError('format', { cause })
  }
  throw new JwsError('non_canonical')
}

/** Base64url without padding, unused bits zero. */
function bytesOf(part: string): Buffer {
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) throw new JwsError('format')
  return bytes
}

const P1363 = { dsaEncoding: 'ieee-p1363' } as const
const encode = (text: string) => Buffer.from(text).toString('base64url')
const digestOf = (alg: SigningKey['alg']) => (alg === 'ES256' ? 'sha256' : null)
