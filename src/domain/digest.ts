/** SHA-256, the only hash there is here, as wire and records write it. */

import { createHash, hash, timingSafeEqual } from 'node:crypto'
import { canonical, type Json } from './json.ts'

declare const brand: unique symbol

/** A SHA-256 in base64url without padding: 43 characters. */
export type Digest = string & { readonly [brand]: 'Digest' }

export function sha256(data: string | Uint8Array): Digest {
  return hash('sha256', data, 'base64url') as Digest
}

/** The digest of a value's RFC 8785 form: equal values, and only they, have equal digests. */
export function digestOf(value: Json): Digest {
  return sha256(canonical(value))
}

/** The 32 octets, for what is hashed on. */
export function sha256Bytes(...parts: readonly (string | Uint8Array)[]): Buffer {
  const hashing = createHash('sha256')
  for (const part of parts) hashing.update(part)
  return hashing.digest()
}

/** Whether a text is a digest in its one spelling: the last character has two bits that must be 0. */
export function isDigest(text: string): text is Digest {
  return /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/.test(text)
}

/** Compares in constant time: how much of a guess was right does not show. */
export function sameDigest(one: string, other: string): boolean {
  const [left, right] = [Buffer.from(one), Buffer.from(other)]
  return left.length === right.length && timingSafeEqual(left, right)
}
