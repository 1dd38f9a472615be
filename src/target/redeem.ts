/** Spends a credential at the broker: of all who try, one may act. */
import { type KeyObject, randomUUID, sign } from 'node:crypto'
import { canonical, JsonError, type JsonObject, readJson } from '../domain/json.ts'
import { refuse, type Refusal, type RefusalCode } from './refusal.ts'
import type { Verified } from './verify.ts'

const TIMEOUT_MS = 10_000
const ASSERTION_SECONDS = 60

export interface Redeemed {
  readonly ok: true
  /** Who acts for whom, by which decision: for this service's own log. */
  readonly redemption: JsonObject
}
export type Redeem = (verified: Verified, tool: string) => Promise<Redeemed | Refusal>

export interface RedeemerOptions {
  readonly issuer: string
  /** A fresh one for each request. */
  readonly assertion: () => string
}

/** It is asked twice where no answer came, under one key: what was spent for this call stays spent for it. */
export function createRedeemer({ issuer, assertion }: RedeemerOptions): Redeem {
  return async ({ token, argsHash }, tool) => {
    const key = randomUUID()
    const body = canonical({ token, tool, args_hash: argsHash, proof_checked: true })
    const ask = () => post(`${issuer}/v1/redemptions`, { body, key, assertion: assertion() })
    const answer = (await ask()) ?? (await ask())
    if (answer === null) return refuse('unavailable', 'broker')
    if (answer.status === 200) return { ok: true, redemption: answer.body }
    const { code = null } = answer.body
    const said = typeof code === 'string' && /^[a-z_]{1,40}$/.test(code) ? code : 'broker'
    return refuse(REFUSALS.get(said) ?? 'unavailable', said)
  }
}

/** Whatever else it says is between it and this service. */
const REFUSALS: ReadonlyMap<string, RefusalCode> = new Map([
  ['already_redeemed', 'invalid_token'],
  ['credential_gone', 'invalid_token'],
  ['not_found', 'invalid_token'],
  ['args_mismatch', 'insufficient_scope'],
])

interface Post {
  readonly body: string
  readonly key: string
  readonly assertion: string
}

/** `null`: nobody answered, or not as a broker does. */
async function post(url: string, { body, key, assertion }: Post) {
  try {
    const answer = await fetch(url, {
      ...{ method: 'POST', redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS), body },
      headers: {
        authorization: `Bearer ${assertion}`,
        'content-type': 'application/json',
        'idempotency-key': key,
      },
    })
    return { status: answer.status, body: readJson(new Uint8Array(await answer.arrayBuffer())) }
  } catch (error) {
    if (error instanceof JsonError || error instanceof TypeError || isTimeout(error)) return null
    throw error
  }
}

const isTimeout = (error: unknown) => error instanceof DOMException && error.name === 'TimeoutError'

/** RFC 7523, with the P-256 key that this service is registered with. */
export function serviceAssertion(
  { name, issuer, key }: { name: string; issuer: string; key: KeyObject },
  now: Date = new Date(),
): string {
  const iat = Math.floor(now.getTime() / 1000)
  const claims = {
    iss: name,
    sub: name,
    aud: issuer,
    iat,
    exp: iat + ASSERTION_SECONDS,
    jti: randomUUID(),
  }
  const part = (value: JsonObject) => Buffer.from(canonical(value)).toString('base64url')
  const input = `${part({ alg: 'ES256', typ: 'client-authentication+jwt' })}.${part(claims)}`
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
  return `${input}.${signature.toString('base64url')}`
}
