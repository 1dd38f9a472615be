/** What the files of the key folder hold: text → keys, or a refusal that does not quote the text. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { canonical, isObject, type Json, type JsonObject, readJson } from './domain/json.ts'
import type { KeySet, SigningKey } from './domain/jws.ts'
import type { Secret } from './domain/secret.ts'

/** One set for each side that signs, told apart by how a `kid` begins. */
export const SETS = {
  sessions: 'ses',
  roots: 'rot',
  decisions: 'pdp',
  credentials: 'cdp',
  evidence: 'evd',
} as const
export type SetName = keyof typeof SETS

export interface LedgerKey {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** What is wrong with the key folder, and the command that mends it. */
export class KeyError extends Error {
  override readonly name = 'KeyError'
}

export function readSet(text: string, name: SetName): KeySet {
  const [first, ...others] = rawKeys(text, name).map((jwk) => readSigningKey(jwk, name))
  if (first === undefined) throw wrong(`${name}.json`, 'holds no key')
  const kids = new Set([first, ...others].map(({ kid }) => kid))
  if (kids.size !== others.length + 1) throw wrong(`${name}.json`, 'names two keys alike')
  return [first, ...others]
}

function rawKeys(text: string, name: SetName): Json[] {
  try {
    const { keys } = readJson(Buffer.from(text))
    if (Array.isArray(keys)) return keys
  } catch {
    // What could not be read is not quoted: it may be a key with a comma too many.
  }
  throw wrong(`${name}.json`, 'is not a JWK Set')
}

function readSigningKey(jwk: Json, name: SetName): SigningKey {
  if (!isObject(jwk)) throw wrong(`${name}.json`, 'is not a JWK Set')
  const { kid } = jwk
  if (typeof kid !== 'string' || !kid.startsWith(`${SETS[name]}-`)) {
    throw wrong(`${name}.json`, `holds a key whose kid does not begin with ${SETS[name]}-`)
  }
  const privateKey = privateKeyOf(
    () => createPrivateKey({ key: jwk, format: 'jwk' }),
    `${name}.json`,
  )
  const alg = algorithmOf(privateKey)
  if (alg === null) throw wrong(`${name}.json`, 'holds a key that is neither P-256 nor Ed25519')
  return { kid, alg, privateKey, publicKey: createPublicKey(privateKey) }
}

function algorithmOf({
  asymmetricKeyType,
  asymmetricKeyDetails,
}: KeyObject): SigningKey['alg'] | null {
  if (asymmetricKeyType === 'ed25519') return 'Ed25519'
  return asymmetricKeyDetails?.namedCurve === 'prime256v1' ? 'ES256' : null
}

export function readLedgerKey(text: string): LedgerKey {
  const privateKey = privateKeyOf(() => createPrivateKey(text), 'ledger.key')
  if (privateKey.asymmetricKeyType !== 'ed25519') throw wrong('ledger.key', 'is not an Ed25519 key')
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

/** OpenSSL's own words are dropped: they may quote what they could not read. */
function privateKeyOf(read: () => KeyObject, file: string): KeyObject {
  try {
    return read()
  } catch {
    throw wrong(file, 'holds something that is not a private key')
  }
}

export function readSealKey(key: Secret): Secret {
  octets(key.reveal(), 'seal.key')
  return key
}

export function octets(text: string, file: string): Buffer {
  const bytes = Buffer.from(text.trim(), 'base64url')
  if (bytes.length === 32 && bytes.toString('base64url') === text.trim()) return bytes
  throw wrong(file, 'is not 32 octets in base64url (43 characters)')
}

/** A key that signed for two sides would be a door in the wall between them. */
export function refuseShared(sets: readonly KeySet[]): void {
  const seen = new Set<string>()
  for (const { kid, publicKey } of sets.flat()) {
    const point = canonical(publicMembers(publicKey.export({ format: 'jwk' }) as JsonObject))
    if (seen.has(point))
      throw new KeyError(`The key ${kid} is in two key files: each needs its own`)
    seen.add(point)
  }
}

/** What RFC 7638 hashes. */
export function publicMembers({ crv = null, kty = null, x = null, y }: JsonObject): JsonObject {
  return y === undefined ? { crv, kty, x } : { crv, kty, x, y }
}

const wrong = (file: string, what: string) =>
  new KeyError(
    `The key file ${file} ${what}. Put back the file, or move it away and run: procura keys create`,
  )
