/** Chains as anybody might write them, good and bad. Shares no code with src/: it is what src/ is held to. */
import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
} from 'node:crypto'
import canonicalize from 'canonicalize'

export type Members = Record<string, unknown>
export interface HolderKey {
  readonly alg: 'ES256' | 'Ed25519'
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  readonly jwk: Readonly<Record<string, string>>
  readonly jkt: string
}

const sha256 = (data: string) => createHash('sha256').update(data)
/** The P-256 key whose scalar is the SHA-256 of a name. */
export function p256Key(name: string): HolderKey {
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(sha256(name).digest())
  const point = ecdh.getPublicKey()
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((it) => it.toString('base64url'))
  const jwk = { crv: 'P-256', kty: 'EC', x: x ?? '', y: y ?? '' }
  const d = ecdh.getPrivateKey().toString('base64url')
  return keyFrom('ES256', createPrivateKey({ key: { ...jwk, d }, format: 'jwk' }), jwk)
}

/** The Ed25519 key whose seed is the SHA-256 of a name. */
export function ed25519Key(name: string): HolderKey {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
  const der = Buffer.concat([prefix, sha256(name).digest()])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  return keyFrom('Ed25519', privateKey, { crv: 'Ed25519', kty: 'OKP', x: x ?? '' })
}

function keyFrom(alg: HolderKey['alg'], privateKey: KeyObject, jwk: HolderKey['jwk']): HolderKey {
  return { alg, privateKey, publicKey: createPublicKey(privateKey), jwk, jkt: thumbprint(jwk) }
}

/** RFC 7638, of a key that has exactly its members. */
export function thumbprint(jwk: HolderKey['jwk']): string {
  return sha256(jcs(jwk)).digest('base64url')
}

export const ISSUER = 'https://broker.example'
export const ROOT_KID = 'rot-2026-11'
export const ROOT_KEY = p256Key('procura example root key')
export const THUMBPRINT = 'urn:ietf:params:oauth:jwk-thumbprint:sha-256:'
/** Stands for the hash of the token before, until that is known. */
export const PARENT = 'the token before'
/** Stands for the hash of the one before that. */
export const GRANDPARENT = 'the token before the token before'

/** A token before it is bytes: what it says, who signs it, and what is done to its spelling. */
export interface Draft {
  header: Members
  claims: Members
  key: HolderKey
  spellHeader?: (text: string) => string
  spellClaims?: (text: string) => string
  /** What becomes of the finished token on its way. */
  onTheWay?: (compact: string) => string
}

/** Signs each in turn, and puts into each the hash of the one that it is to rest on. */
export function seal(drafts: readonly Draft[]): string[] {
  const tokens: string[] = []
  for (const draft of drafts) tokens.push(compactOf(linked(draft, tokens)))
  return tokens
}

/** The draft with the hash of a token before it, where it stands for one. */
export function linked(draft: Draft, tokens: readonly string[]): Draft {
  const { par_hash: named } = draft.claims
  const before =
    named === PARENT ? tokens.at(-1) : named === GRANDPARENT ? tokens.at(-2) : undefined
  if (before === undefined) return draft
  return { ...draft, claims: { ...draft.claims, par_hash: hashOf(before) } }
}

export function compactOf(draft: Draft): string {
  const { header, claims, key, spellHeader, spellClaims, onTheWay } = draft
  const head = jcs(header)
  const body = jcs(claims)
  const input = `${encode(spellHeader?.(head) ?? head)}.${encode(spellClaims?.(body) ?? body)}`
  const compact = `${input}.${signatureOf(input, key)}`
  return onTheWay?.(compact) ?? compact
}

const made = new Map<string, string>()
/** Signing is most of the time that a long run takes: chains that begin alike share what they share. */
export function signatureOf(input: string, key: HolderKey): string {
  const known = made.get(key.jkt + input)
  if (known !== undefined) return known
  const how = { key: key.privateKey, dsaEncoding: 'ieee-p1363' } as const
  const octets = sign(key.alg === 'ES256' ? 'sha256' : null, Buffer.from(input), how)
  if (made.size > 5000) made.clear()
  made.set(key.jkt + input, octets.toString('base64url'))
  return octets.toString('base64url')
}

/** SHA-256 of the signing input. */
export function hashOf(compact: string): string {
  return sha256(compact.slice(0, compact.lastIndexOf('.'))).digest('base64url')
}

export const encode = (text: string | Uint8Array) => Buffer.from(text).toString('base64url')
export function jcs(value: unknown): string {
  return canonicalize(value) ?? ''
}
