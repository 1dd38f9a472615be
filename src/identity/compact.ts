/** A stranger's JWS, taken apart strictly. Nothing in it is believed yet. */
import { sha256 } from '../domain/digest.ts'
import type { JsonObject } from '../domain/json.ts'
import { JwsError, objectIn, octetsOf } from '../domain/jws.ts'

export interface Unverified {
  readonly header: JsonObject
  readonly claims: JsonObject
  /** What the signature is over: `header.payload`. */
  readonly input: string
  readonly signature: Buffer
  /** SHA-256 (base64url) of the signing input. */
  readonly tokenHash: string
}

/**
 * Three base64url parts without padding, two strict JSON objects, no header that changes how the rest
 * is read. Throws `JwsError`, whose message is for the log.
 */
export function takeApart(token: string, maxBytes: number): Unverified {
  if (token.length > maxBytes) throw new JwsError('too_large')
  const parts = token.split('.', 4)
  const [head, body, tail] = parts
  if (head === undefined || body === undefined || tail === undefined || parts.length !== 3) {
    throw new JwsError('format')
  }
  const header = objectIn(octetsOf(head, 'format'), 'format')
  if (['crit', 'b64', 'zip'].some((name) => name in header)) throw new JwsError('format')
  const input = `${head}.${body}`
  return {
    header,
    claims: objectIn(octetsOf(body, 'format'), 'payload_not_object'),
    input,
    signature: octetsOf(tail, 'bad_signature'),
    tokenHash: sha256(input),
  }
}
