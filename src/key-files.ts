/** What the files of the key folder hold: text → keys, or a refusal that does not quote the text. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { canonical, isObject, type Json, type JsonObject, readJson } from './domain/json.ts'
import {
  type KeySet,
  type PublicKey,
  type PublicKeySet,
  type SigningKey,
  signingKey,
} from './domain/jws.ts'
import { unavailable } from './domain/problems.ts'
import { sealKeysOf } from './domain/seal-keys.ts'
import type { Secret } from './domain/secret.ts'
import type { Signers } from './pkcs11/signers.ts'

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

/**
 * Those whose tokens are signed when they are on record. What the others sign goes into the record: a
 * token that thinks would hold up the whole log.
 */
export const MAY_BE_IN_TOKEN: readonly SetName[] = ['sessions', 'decisions', 'credentials']

/** The member of ours that says where a key is, instead of `d`; it is not published. */
export const ELSEWHERE = 'pkcs11'

/** What keys in a token sign with. */
export type InToken = Pick<Signers, 'at'>

/**
 * @param now when it is to sign; left out, the keys are as they stand in the file
 * @param token left out, those that are in one do not sign
 */
export function readSet(
  text: string,
  name: SetName,
  now?: Date,
  token: InToken | null = null,
): KeySet {
  const keys = inTurn(rawKeys(text, name), name, now).map((jwk, at) => {
    const key = readSigningKey(jwk, name, token)
    const isOver = now !== undefined && at > 0 && startOf(jwk, name) * 1000 <= now.getTime()
    // What it signed is verified, and nothing more: it need not be there.
    return isOver ? { ...key, inToken: undefined } : key
  })
  return someOf(keys, name)
}

/** The last that has begun to sign is first, those that will sign are last. */
function inTurn(jwks: readonly Json[], name: SetName, now: Date | undefined): Json[] {
  if (now === undefined) return [...jwks]
  const at = now.getTime() / 1000
  const place = (jwk: Json) => {
    const start = startOf(jwk, name)
    return start > at ? start : -start
  }
  return jwks.toSorted((one, other) => place(one) - place(other))
}

/** When a key begins to sign, in seconds since 1970: a member of ours, which is not published. */
export function startOf(jwk: Json, name: SetName): number {
  const start = isObject(jwk) ? (jwk['signs_from'] ?? 0) : 0
  if (typeof start === 'number' && Number.isSafeInteger(start) && start >= 0) return start
  throw wrong(`${name}.json`, 'holds a key with a signs_from that is no time')
}

/** For a side that verifies and must not sign: a file with a private key in it is refused. */
export function readPublicSet(text: string, name: SetName): PublicKeySet {
  return someOf(
    rawKeys(text, name).map((jwk) => readPublicKey(jwk, name)),
    name,
  )
}

/** Whether a set can sign; of the other side's, only the public half is here. */
export const holdsPrivate = (text: string, name: SetName): boolean =>
  rawKeys(text, name).some((jwk) => isObject(jwk) && ('d' in jwk || ELSEWHERE in jwk))

function someOf<Key extends { readonly kid: string }>(
  [first, ...others]: readonly Key[],
  name: SetName,
): readonly [Key, ...Key[]] {
  if (first === undefined) throw wrong(`${name}.json`, 'holds no key')
  const kids = new Set([first, ...others].map(({ kid }) => kid))
  if (kids.size !== others.length + 1) throw wrong(`${name}.json`, 'names two keys alike')
  return [first, ...others]
}

export function rawKeys(text: string, name: SetName): Json[] {
  try {
    const { keys } = readJson(Buffer.from(text))
    if (Array.isArray(keys)) return keys
  } catch {
    // What could not be read is not quoted: it may be a key with a comma too many.
  }
  throw wrong(`${name}.json`, 'is not a JWK Set')
}

function readSigningKey(jwk: Json, name: SetName, token: InToken | null): SigningKey {
  const { kid, key } = named(jwk, name)
  if (ELSEWHERE in key) return readKeyElsewhere(key, kid, name, token ?? noToken(kid))
  const privateKey = keyIn(() => createPrivateKey({ key, format: 'jwk' }), `${name}.json`)
  const alg = algorithmOf(privateKey, name)
  return signingKey({ kid, alg, privateKey, publicKey: createPublicKey(privateKey) })
}

function readKeyElsewhere(key: JsonObject, kid: string, name: SetName, token: InToken): SigningKey {
  if ('d' in key) throw new KeyError(`The key ${kid} is in its file and in a token: take d out`)
  refuseNotInToken(name)
  const publicKey = keyIn(() => createPublicKey({ key, format: 'jwk' }), `${name}.json`)
  const alg = algorithmOf(publicKey, name)
  if (alg !== 'ES256') throw new KeyError(`The key ${kid} is in a token, and is not P-256`)
  const { [ELSEWHERE]: uri } = key
  try {
    return { kid, alg, publicKey, ...token.at(typeof uri === 'string' ? uri : '', publicKey) }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new KeyError(`The member ${ELSEWHERE} of the key ${kid} ${error.message}`)
  }
}

/** @throws KeyError for a set that has to be in its file */
export function refuseNotInToken(name: SetName): void {
  if (MAY_BE_IN_TOKEN.includes(name)) return
  const why = 'what it signs goes into the record, and the whole log would wait for the token'
  throw new KeyError(`Keys of ${name}.json have to be in the file: ${why}`)
}

function noToken(kid: string): InToken {
  const none = () =>
    Promise.reject(
      unavailable('keys', new KeyError(`The key ${kid} is in a token: name it in PROCURA_SIGNER`)),
    )
  return { at: () => ({ sign: none, inToken: { prove: none, look: none } }) }
}

function readPublicKey(jwk: Json, name: SetName): PublicKey {
  const { kid, key } = named(jwk, name)
  if ('d' in key || ELSEWHERE in key) {
    throw new KeyError(`The key ${kid} is private, and of the other side: ${SPLIT}`)
  }
  const publicKey = keyIn(() => createPublicKey({ key, format: 'jwk' }), `${name}.json`)
  return { kid, alg: algorithmOf(publicKey, name), publicKey }
}

function named(key: Json, name: SetName) {
  if (!isObject(key)) throw wrong(`${name}.json`, 'is not a JWK Set')
  const { kid } = key
  if (typeof kid !== 'string' || !kid.startsWith(`${SETS[name]}-`)) {
    throw wrong(`${name}.json`, `holds a key whose kid does not begin with ${SETS[name]}-`)
  }
  return { kid, key }
}

function algorithmOf(key: KeyObject, name: SetName): PublicKey['alg'] {
  if (key.asymmetricKeyType === 'ed25519') return 'Ed25519'
  if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256'
  throw wrong(`${name}.json`, 'holds a key that is neither P-256 nor Ed25519')
}

export function readLedgerKey(text: string): LedgerKey {
  const privateKey = keyIn(() => createPrivateKey(text), 'ledger.key')
  if (privateKey.asymmetricKeyType !== 'ed25519') throw wrong('ledger.key', 'is not an Ed25519 key')
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

/** OpenSSL's own words are dropped: they may quote what they could not read. */
function keyIn(read: () => KeyObject, file: string): KeyObject {
  try {
    return read()
  } catch {
    throw wrong(file, 'holds something that is not a key of its kind')
  }
}

/** One key a line: the first seals, all open. */
export function readSealKey(keys: Secret): Secret {
  try {
    sealKeysOf(keys)
  } catch {
    throw wrong('seal.key', 'is not 32 octets in base64url (43 characters), a line for each key')
  }
  return keys
}

export function octets(text: string, file: string): Buffer {
  const bytes = Buffer.from(text.trim(), 'base64url')
  if (bytes.length === 32 && bytes.toString('base64url') === text.trim()) return bytes
  throw wrong(file, 'is not 32 octets in base64url (43 characters)')
}

/** A key that signed for two sides would be a door in the wall between them. */
export function refuseShared(sets: readonly PublicKeySet[]): void {
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

/** What a side does that has more than it must have. */
export const SPLIT = 'make a folder for each side with: procura keys split'

const wrong = (file: string, what: string) =>
  new KeyError(
    `The key file ${file} ${what}. Put back the file, or move it away and run: procura keys create`,
  )
