/**
 * An agent's side: one instance, its key, its session, its requests.
 *
 * Every call is signed anew (DPoP, over exactly the bytes that are sent); a nonce that the broker asks
 * for is used and the call made once more; a session that has ended is renewed. Everything else that
 * is not a clear yes is an error.
 */
import { createHash, randomUUID } from 'node:crypto'
import { canonical, isObject, type Json, type JsonObject } from '../domain/json.ts'
import { Refused, Unreachable } from './errors.ts'
import type { Key } from './key.ts'
import { type Answered, answerTo } from './wire.ts'

const RENEW_SECONDS = 30

export interface ClientOptions {
  /** The broker's issuer, an origin: `https://broker.example`. */
  readonly issuer: string
  /** The instance's own key. */
  readonly key: Key
  /** A fresh client assertion, made when a session is opened. */
  readonly assertion: () => Promise<Assertion> | Assertion
  /** A consent, where the agent has several. */
  readonly consent?: string
  /** Which model this instance says it runs on. */
  readonly model?: { readonly name: string; readonly tier: string }
  readonly timeoutMs?: number
}

export interface Assertion {
  readonly type: 'jwt-bearer' | 'jwt-spiffe'
  readonly token: string
}

export interface CredentialAsk {
  readonly tool: string
  readonly arguments: JsonObject
  readonly purpose?: string
  readonly justification?: string
  readonly ttl_seconds?: number
  readonly approval?: string
}

/** 201: use it, once. 202: a person was asked; poll the approval, then ask again with it. */
export type CredentialAnswer =
  | {
      readonly status: 'active'
      readonly id: string
      readonly credential: JsonObject
      readonly body: JsonObject
    }
  | { readonly status: 'pending'; readonly approval: string; readonly body: JsonObject }

export interface Client {
  /** Opens a session now, rather than with the first call. */
  connect(): Promise<JsonObject>
  /** One credential for one tool call. `idempotencyKey` makes a retry safe; one is made up if absent. */
  requestCredential(ask: CredentialAsk, idempotencyKey?: string): Promise<CredentialAnswer>
  explain(ask: CredentialAsk): Promise<JsonObject>
  credential(id: string): Promise<JsonObject>
  giveBack(id: string): Promise<JsonObject>
  approval(id: string, waitSeconds?: number): Promise<JsonObject>
  decision(id: string): Promise<JsonObject>
}

export function createClient(options: ClientOptions): Client {
  const send = createSender(options)
  let session: Session | null = null

  async function connect(): Promise<JsonObject> {
    const { body } = await send('POST', '/oauth/token', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: await sessionForm(options),
    })
    session = sessionIn(body)
    return body
  }

  async function call(method: string, path: string, ask?: JsonObject, key?: string) {
    if (session === null || Date.now() >= session.renewAt) await connect()
    const token = session?.token ?? ''
    const headers: Record<string, string> = { authorization: `DPoP ${token}` }
    if (ask !== undefined) headers['content-type'] = 'application/json'
    if (key !== undefined) headers['idempotency-key'] = key
    const body = ask === undefined ? {} : { body: canonical(ask) }
    return await send(method, path, { headers, token, ...body })
  }

  const get = async (path: string) => (await call('GET', path)).body
  return {
    connect,
    async requestCredential(ask, idempotencyKey = randomUUID()) {
      const members = withoutAbsent({ ...ask })
      return answerOf(await call('POST', '/v1/credentials', members, idempotencyKey))
    },
    explain: async (ask) => (await call('POST', '/v1/explain', withoutAbsent({ ...ask }))).body,
    credential: (id) => get(`/v1/credentials/${encodeURIComponent(id)}`),
    giveBack: async (id) =>
      (await call('DELETE', `/v1/credentials/${encodeURIComponent(id)}`)).body,
    approval: (id, waitSeconds = 0) =>
      get(`/v1/approvals/${encodeURIComponent(id)}?wait=${String(waitSeconds)}`),
    decision: (id) => get(`/v1/decisions/${encodeURIComponent(id)}`),
  }
}

type Send = (method: string, path: string, message: Message) => Promise<Answered>

/** Sends with a fresh proof; once more if the broker names the nonce it wants. */
function createSender({ issuer, key, timeoutMs = 20_000 }: ClientOptions): Send {
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

interface Session {
  readonly token: string
  readonly renewAt: number
}

async function sessionForm({ assertion, consent, model }: ClientOptions): Promise<string> {
  const { type, token } = await assertion()
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_assertion_type: `urn:ietf:params:oauth:client-assertion-type:${type}`,
    client_assertion: token,
  })
  if (consent !== undefined) form.set('consent_id', consent)
  if (model !== undefined) form.set('model', canonical({ ...model }))
  return form.toString()
}

function sessionIn({ access_token: token, expires_in: seconds, token_type: type }: JsonObject) {
  if (typeof token !== 'string' || typeof seconds !== 'number' || type !== 'DPoP') {
    throw new Unreachable('the broker gave no session')
  }
  return { token, renewAt: Date.now() + (seconds - RENEW_SECONDS) * 1000 }
}

interface Message {
  readonly headers: Readonly<Record<string, string>>
  readonly token?: string
  readonly body?: string
}

/** A credential counts only when every member that says so is there. */
function answerOf({ status, body }: Answered): CredentialAnswer {
  const { id, credential, approval } = body
  if (
    status === 201 &&
    body['status'] === 'active' &&
    typeof id === 'string' &&
    isObject(credential)
  ) {
    return { status: 'active', id, credential, body }
  }
  if (status === 202 && isObject(approval) && typeof approval['id'] === 'string') {
    return { status: 'pending', approval: approval['id'], body }
  }
  if (status === 201 && typeof id === 'string' && credential === null) {
    throw new Refused(409, {
      ...{ code: 'idempotency_replayed', title: 'This was answered before' },
      detail: `The secret of ${id} was told once and is not told again`,
      fix: `Give ${id} back, and ask again with a new key`,
    })
  }
  throw new Unreachable('the broker answered something that is neither a credential nor a refusal')
}

function withoutAbsent(members: Record<string, Json | undefined>): JsonObject {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as JsonObject
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url')
