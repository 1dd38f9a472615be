/** Compact JWS (ES256) with nothing but the necessary: the price of a signature, and little beside it. */
import { createHash, hash, type KeyObject, sign, verify } from 'node:crypto'
import type { JsonObject } from '../src/domain/json.ts'

const P1363 = { dsaEncoding: 'ieee-p1363' } as const

export const encode = (value: JsonObject): string =>
  Buffer.from(JSON.stringify(value)).toString('base64url')
export const sha256 = (data: string | Uint8Array): string => hash('sha256', data, 'base64url')
/** An RFC 6962 leaf hash, in hex. */
export const leafHash = (entry: string): string =>
  createHash('sha256').update('\0').update(entry).digest('hex')

export function decode(part: string): JsonObject {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as JsonObject
}

/** @param head the encoded header, which never changes */
export function signJws(head: string, claims: JsonObject, key: KeyObject): string {
  const input = `${head}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key, ...P1363 })
  return `${input}.${signature.toString('base64url')}`
}

/** The claims, where the signature is right. @throws Error where it is not */
export function verifyJws(token: string, key: KeyObject): JsonObject {
  const end = token.lastIndexOf('.')
  const input = token.slice(0, end)
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  if (!verify('sha256', Buffer.from(input), { key, ...P1363 }, signature)) {
    throw new Error('a signature is wrong')
  }
  return decode(input.slice(input.indexOf('.') + 1))
}
