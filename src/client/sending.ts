/** Each request signed anew (DPoP, RFC 9449), over exactly the bytes that are sent. */
import { createHash, randomUUID } from 'node:crypto'
import type { Json, JsonObject } from '../domain/json.ts'
import { Refused } from './errors.ts'
import type { Key } from './key.ts'
import { answerIn, type Answered, answerTo, responseTo, type Sent } from './wire.ts'

export interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly token?: string
  readonly body?: string
}
export interface Sender {
  readonly send: (method: string, path: string, message: Message) => Promise<Answered>
  /** Through the broker, to a target: its answer as it comes, whatever its status. */
  readonly pass: (
    method: string,
    path: string,
    message: Message,
    signal?: AbortSignal,
  ) => Promise<Response>
}

export type Send = Sender['send']

export interface SenderOptions {
  /** The broker's issuer, an origin. */
  readonly issuer: string
  readonly key: Key
  readonly timeoutMs?: number
}

/** Sends with a fresh proof; once more if the broker names the nonce it wants. */
export function createSender({ issuer, key, timeoutMs = 20_000 }: SenderOptions): Sender {
  let nonce: string | undefined
  function signed(method: string, path: string, message: Message): Sent {
    const url = issuer + path
    const proof = key.sign('dpop+jwt', proofOf(method, url, message, nonce), {
      jwk: key.publicJwk,
    })
    const headers = { ...message.headers, dpop: proof }
    const body = message.body === undefined ? {} : { body: message.body }
    return { method, url, headers, timeoutMs, ...body }
  }
  const wantsNonce = ({ body }: Answered) =>
    [body['code'], body['error']].includes('use_dpop_nonce')

  return {
    async send(method, path, message) {
      for (let tries = 1; ; tries += 1) {
        const answer = await answerTo(signed(method, path, message))
        nonce = answer.headers.get('dpop-nonce') ?? nonce
        if (wantsNonce(answer) && tries === 1) continue
        if (answer.status >= 200 && answer.status < 300) return answer
        throw new Refused(answer.status, answer.body)
      }
    },
    async pass(method, path, message, signal) {
      for (let tries = 1; ; tries += 1) {
        const response = await responseTo(signed(method, path, message), {
          redirect: 'manual',
          signal,
        })
        nonce = response.headers.get('dpop-nonce') ?? nonce
        // Only the broker sets it: whatever else a target answers, it is no word of the broker's.
        if (response.headers.has('procura-upstream-status')) return response
        const refusal = await answerIn(response)
        if (wantsNonce(refusal) && tries === 1) continue
        throw new Refused(refusal.status, refusal.body)
      }
    },
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
