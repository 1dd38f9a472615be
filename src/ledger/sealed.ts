/**
 * What identifies or quotes people: encrypted beside the log under a key of its own, so that it can
 * be destroyed; the leaf holds a commitment that says nothing without the salt.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { canonical, type JsonObject, parseTrusted } from '../domain/json.ts'
import { sealKeysOf } from '../domain/seal-keys.ts'
import type { Secret } from '../domain/secret.ts'

export interface SealedRow {
  readonly id: string
  readonly wrappedKey: Buffer
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}

export interface Sealer {
  /** `id` names the payload and is bound into it: a row under another id does not open. */
  seal(id: string, payload: JsonObject): { readonly commitment: string; readonly row: SealedRow }
  /** @throws when the row was altered, moved, or sealed under another key */
  open(row: SealedRow): JsonObject
  /** Its key under the first of the sealing keys; `null` where it is. @throws as `open` does */
  rewrapped(row: Omit<SealedRow, 'ciphertext'>): Buffer | null
}

/** Of a side whose entries name nobody but by id, and that therefore holds no key to people. */
export const NOTHING_TO_SEAL: Pick<Sealer, 'seal'> = {
  seal() {
    throw new TypeError('this side seals nothing')
  },
}

/** @param keys a line for each, base64url of 32 bytes: the first wraps each payload's own key */
export function createSealer(keys: Secret): Sealer {
  const all = sealKeysOf(keys)
  const [wrapping] = all
  return {
    seal(id, payload) {
      const salt = randomBytes(32)
      const dataKey = randomBytes(32)
      const nonce = randomBytes(12)
      const wrapped = encrypt(wrapping, nonce, id, dataKey)
      const text = canonical(payload)
      // The canonical form of both members: their names are in order.
      const both = `{"payload":${text},"salt":"${salt.toString('base64url')}"}`
      const ciphertext = encrypt(dataKey, nonce, id, Buffer.from(both))
      dataKey.fill(0)
      return {
        commitment: commitmentTo(salt, text),
        row: { id, wrappedKey: wrapped, nonce, ciphertext },
      }
    },
    open({ id, wrappedKey, nonce, ciphertext }) {
      const dataKey = unwrapped(all, { id, wrappedKey, nonce })
      const opened = parseTrusted(decrypt(dataKey, nonce, id, ciphertext).toString('utf8'))
      return (opened as { payload: JsonObject }).payload
    },
    rewrapped({ id, wrappedKey, nonce }) {
      const dataKey = unwrapped(all, { id, wrappedKey, nonce })
      // The same nonce, under another key: each key is used once with it, as before.
      const now = encrypt(wrapping, nonce, id, dataKey)
      return now.equals(wrappedKey) ? null : now
    },
  }
}

/** base64url(SHA-256("procura/sealed/v1\n" ‖ salt ‖ JCS(payload))) */
export function commitmentOf(salt: Uint8Array, payload: JsonObject): string {
  return commitmentTo(salt, canonical(payload))
}

function commitmentTo(salt: Uint8Array, text: string): string {
  return createHash('sha256')
    .update('procura/sealed/v1\n')
    .update(salt)
    .update(text)
    .digest('base64url')
}

/** A row does not say which key it needs; all but one of them refuse it. */
function unwrapped(
  keys: readonly Buffer[],
  { id, wrappedKey, nonce }: Pick<SealedRow, 'id' | 'wrappedKey' | 'nonce'>,
): Buffer {
  const [key, ...older] = keys
  if (key === undefined) throw new Error('No sealing key opens it')
  try {
    return decrypt(key, nonce, id, wrappedKey)
  } catch {
    return unwrapped(older, { id, wrappedKey, nonce })
  }
}

// One nonce serves both: the two are encrypted under different keys, each used once with it.
function encrypt(key: Buffer, nonce: Buffer, id: string, plain: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(id))
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

function decrypt(key: Buffer, nonce: Buffer, id: string, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(id))
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}
