/** Each request signed anew (DPoP, RFC 9449), over exactly the bytes that are sent. */
import { createHash, randomUUID } from 'node:crypto'
import type { Json, JsonObject } from '../domain/json.ts'
import { Refused } from './errors.ts'
import type { Key } from './key.ts'
import { type Answered, answerTo } from './wire.ts'

export interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly token?: string
  readonly body?: string
}
export type Send = (method: string, path: string, message: Message) => Promise<Answered>

export interface SenderOptions {
  /** The broker's issuer, an origin. */
  readonly issuer: string
  readonly key: Key
  readonly timeoutMs?: number
}

/** Sends with a fresh proof; once more if the broker names the nonce it wants. */
export function createSender({ issuer, key, timeoutMs = 20_000 }: SenderOptions): Send {
  let nonce: string | undefined
  return async (method, path, message) => {
    for (let tries = 1; ; tries += 1) {
      const url = issuer + path
      const proof = key.sign('dpop+jwt', proofOf(method, url, message, nonce), {
        jwk: key.publicJwk,
      })
      const headers = { ...message.headers, dpop: proof }
      const body = message.body === undefined ? {} : { body: message.body }
      const answer = await answerTo({ method, url, headers, timeoutMs, ...body })
      nonce = answer.headers.get('dpop-nonce') ?? nonce
      const wantsNonce = [answer.body['code'], answer.body['error']].includes('use_dpop_nonce')
      if (wantsNonce && tries === 1) continue
      if (answer.status >= 200 && answer.status < 300) return answer
      throw new Refused(answer.status, answer.body)
    }
  }
}

/** RFC 9449 §4.2, and `body_sha256` over exactly the bytes that are sent. */
function proofOf(
  method: string,
  url: string,
  { token, body }: Message,
  nonce: string | undefined,
): JsonObject {
  return withoutAbsent({
    jti: randomUUID(),
    htm: method,
    htu: url.replace(/[?#].*$/s, ''),
    iat: Math.floor(Date.now() / 1000),
    nonce,
    ath: token === undefined ? undefined : sha256(token),
    body_sha256: body === undefined || body === '' ? undefined : sha256(body),
  })
}

export function withoutAbsent(members: Record<string, Json | undefined>): JsonObject {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as JsonObject
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')
