/** What wraps the keys of secrets: a store that keeps its own keys to itself, and here a file. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { sha256 } from '../domain/digest.ts'
import { unavailable } from '../domain/problems.ts'
import { sealKeysOf } from '../domain/seal-keys.ts'
import type { Secret } from '../domain/secret.ts'

/** `boundTo` is authenticated with what is wrapped: it MUST be the same to unwrap it. */
export interface KeyStore {
  /** The version that wraps from now on. */
  current(): Promise<string>
  wrap(plain: Buffer, boundTo: (version: string) => Buffer): Promise<Wrapped>
  /** @throws unavailable `keys` when it has no key of that version; any other error when it was altered */
  unwrap(wrapped: Wrapped, boundTo: (version: string) => Buffer): Promise<Buffer>
}

export interface Wrapped {
  /** Says which key it needs, and nothing about the key. */
  readonly version: string
  readonly octets: Buffer
}

const NONCE = 12
const TAG = 16

/**
 * Keys that are lines of `seal.key`. One that is not known is looked for in the file again, so that a
 * broker goes on when the seal is changed under it.
 */
export function fileKeyStore(text: Secret, reread?: () => Promise<Secret>): KeyStore {
  let keys = keysIn(text)
  async function keyOf(version: string): Promise<Buffer> {
    if (!keys.has(version) && reread) keys = keysIn(await reread())
    const key = keys.get(version)
    if (key === undefined) throw unavailable('keys', new Error(`No key of version ${version}`))
    return key
  }
  const first = (): readonly [string, Buffer] => {
    for (const entry of keys) return entry
    throw new TypeError('there is no key') // `sealKeysOf` refuses that.
  }
  return {
    current: () => Promise.resolve(first()[0]),
    wrap(plain, boundTo) {
      const [version, key] = first()
      return Promise.resolve({ version, octets: seal(key, boundTo(version), plain) })
    },
    async unwrap({ version, octets }, boundTo) {
      return open(await keyOf(version), boundTo(version), octets)
    },
  }
}

const keysIn = (text: Secret): ReadonlyMap<string, Buffer> =>
  new Map(sealKeysOf(text).map((key) => [versionOf(key), key]))

export const versionOf = (key: Buffer) =>
  sha256(`procura seal key\0${key.toString('base64url')}`).slice(0, 12)

/** AES-256-GCM: nonce, ciphertext, tag. */
export function seal(key: Buffer, boundTo: Buffer, plain: Buffer): Buffer {
  const nonce = randomBytes(NONCE)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(boundTo)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** @throws when it was altered, moved, or sealed with another key */
export function open(key: Buffer, boundTo: Buffer, sealed: Buffer): Buffer {
  const nonce = sealed.subarray(0, NONCE)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG })
  decipher.setAAD(boundTo).setAuthTag(sealed.subarray(-TAG))
  return Buffer.concat([decipher.update(sealed.subarray(NONCE, -TAG)), decipher.final()])
}
