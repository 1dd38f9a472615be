/** Tokens made by hand, right or wrong in one place. Keys are those of test/identity/signing.ts. */
import { createPrivateKey, createPublicKey, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sha256 } from '../../src/domain/digest.ts'
import { canonical, isObject, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { compact, type Holder } from '../identity/signing.ts'

/** Members replace those of the valid one; `undefined` takes one away; a text is the part's JSON as it is. */
export type Changed = Readonly<Record<string, unknown>> | string

export interface Forged {
  readonly header?: Changed
  readonly claims?: Changed
  /** Who signs, if it is not the one whose key is trusted. */
  readonly by?: Holder
}

export const seconds = () => Math.floor(Date.now() / 1000)

/** The valid token with what a line changes; canonical, as our own tokens must be. */
export function forge(
  { holder, header, claims }: { holder: Holder; header: JsonObject; claims: JsonObject },
  changed: Forged = {},
): string {
  const by = changed.by ?? holder
  return compact(partOf(header, changed.header), partOf(claims, changed.claims), by)
}

function partOf(valid: JsonObject, changed: Changed = {}): string {
  if (typeof changed === 'string') return changed
  const members = Object.entries({ ...valid, ...changed }).filter(([, it]) => it !== undefined)
  return canonical(Object.fromEntries(members) as JsonObject)
}

/** What a compact JWS says, unverified. */
export function insideOf(token: string): { header: JsonObject; claims: JsonObject } {
  const [header = '', claims = ''] = token.split('.')
  return { header: decoded(header), claims: decoded(claims) }
}

function decoded(part: string): JsonObject {
  const value = parseTrusted(Buffer.from(part, 'base64url').toString())
  if (!isObject(value)) throw new TypeError('not an object')
  return value
}

/** The broker's own signing key, which only its operator has: for lines about what it has signed. */
export function brokerKey(
  keysDir: string,
  set: 'sessions' | 'roots' | 'credentials' | 'evidence',
): Holder {
  const { keys } = parseTrusted(readFileSync(join(keysDir, `${set}.json`), 'utf8')) as {
    keys: [JsonObject]
  }
  const privateKey = createPrivateKey({ key: keys[0], format: 'jwk' })
  const publicKey = createPublicKey(privateKey)
  const { kid, x, y, crv, kty } = keys[0] as Record<string, string>
  const jwk = { kty: kty ?? '', crv: crv ?? '', x: x ?? '', y: y ?? '', kid: kid ?? '' }
  return { alg: 'ES256', privateKey, publicKey, jwk, jkt: '' }
}

/** The header that this holder's tokens have. */
export const headerBy = ({ alg, jwk }: Holder, typ?: string): JsonObject => ({
  ...{ alg, kid: jwk['kid'] ?? '' },
  ...(typ !== undefined && { typ }),
})

export interface About {
  readonly method: string
  /** `htu`. */
  readonly url: string
  readonly nonce: string
  readonly token?: string
  readonly body?: string | Uint8Array
}

/** A proof over exactly this request; `changed` as for tokens. */
export function forgeProof(holder: Holder, about: About, changed: Forged = {}): string {
  const { kid: _, ...jwk } = holder.jwk
  const { method, url, nonce, token, body = '' } = about
  const claims: JsonObject = {
    ...{ jti: randomUUID(), htm: method, htu: url, iat: seconds(), nonce },
    ...(token !== undefined && { ath: sha256(token) }),
    ...(body.length > 0 && { body_sha256: sha256(body) }),
  }
  return forge({ holder, header: { typ: 'dpop+jwt', alg: holder.alg, jwk }, claims }, changed)
}
