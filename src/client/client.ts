/**
 * An agent's side: one instance, its key, its session, its requests.
 *
 * Every call is signed anew (DPoP, over exactly the bytes that are sent); a nonce that the broker asks
 * for is used and the call made once more; a session that has ended is renewed. Everything else that
 * is not a clear yes is an error.
 */
import { randomUUID } from 'node:crypto'
import { canonical, isObject, type JsonObject } from '../domain/json.ts'
import { type DelegationAsk, type Handed, type Holding, holdingOf, signHop } from './delegating.ts'
import { CannotDelegate, Refused, Unreachable } from './errors.ts'
import { createSender, type SenderOptions, withoutAbsent } from './sending.ts'
import { type Session, sessionForm, sessionIn, type SessionOptions } from './session.ts'
import type { Answered } from './wire.ts'

export type { DelegationAsk, Handed, Holding } from './delegating.ts'
export { CannotDelegate, Refused, Unreachable } from './errors.ts'
export { generateKey, importKey, type Key } from './key.ts'
export type { Assertion } from './session.ts'

/** The instance's own key, and how it shows whose it is. */
export type ClientOptions = SenderOptions & SessionOptions

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

export interface CallInit {
  readonly method?: string
  readonly body?: JsonObject
  /** Of these, the target gets `accept` and `accept-language`. */
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Client {
  /** Thumbprint of the instance's key: what is handed on to this run has to name it. */
  readonly jkt: string
  /** Opens a session now, rather than with the first call. */
  connect(): Promise<JsonObject>
  /** One credential for one tool call. `idempotencyKey` makes a retry safe; one is made up if absent. */
  requestCredential(ask: CredentialAsk, idempotencyKey?: string): Promise<CredentialAnswer>
  /**
   * Makes the call that a credential of kind `proxy` was given for, once: like `fetch`, with the path and
   * query of the target. What comes back is the target's own answer, whatever its status.
   *
   * @throws Refused when it is the broker that says no: `args_mismatch`, `target_denied`, `credential_gone` …
   */
  fetch(credential: JsonObject, target: string, init?: CallInit): Promise<Response>
  explain(ask: CredentialAsk): Promise<JsonObject>
  credential(id: string): Promise<JsonObject>
  giveBack(id: string): Promise<JsonObject>
  approval(id: string, waitSeconds?: number): Promise<JsonObject>
  decision(id: string): Promise<JsonObject>
  /** What there is to hand on. @throws CannotDelegate where the consent allows no hops */
  holding(): Promise<Holding>
  /**
   * Hands less than it has on to a run of another agent, and puts that on record. What comes back is
   * for the delegate: `createClient({ …, chain })` over there. It is of no use to anybody without that
   * run's key, this client included.
   *
   * @throws CannotDelegate naming what would be wider; nothing was signed or sent
   */
  delegate(ask: DelegationAsk): Promise<Handed>
  /** A hop that it signed, received, or stands above: what is left of it, and whether it still holds. */
  delegation(id: string): Promise<JsonObject>
}

/** Its session, and what it hands on; calls in it, signed anew each. */
function createConnection(options: ClientOptions) {
  const { chain } = options
  const { send, pass } = createSender(options)
  let session: Session | null = null
  let root: Session['root'] = null

  async function connect(wants = { root: false }): Promise<JsonObject> {
    const { body } = await send('POST', '/oauth/token', {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: await sessionForm(options, { ...wants, isKnown: session !== null }),
    })
    session = sessionIn(body)
    root = session.root ?? root
    return body
  }

  /** What there is to hand on: a chain that was received, or a root that lasts long enough. */
  async function held(seconds: number): Promise<readonly string[]> {
    if (chain !== undefined) return chain.split('~')
    if (root === null || root.endsAt < Date.now() + seconds * 1000) await connect({ root: true })
    if (root !== null) return [root.token]
    throw new CannotDelegate('no_root', {
      detail: 'The consent does not let this agent hand anything on',
      fix: 'Have the sponsor consent with max_hops above 0',
    })
  }

  async function sessionToken(): Promise<string> {
    if (session === null || Date.now() >= session.renewAt) await connect()
    return session?.token ?? ''
  }

  async function call(method: string, path: string, ask?: JsonObject, key?: string) {
    const token = await sessionToken()
    const headers: Record<string, string> = { authorization: `DPoP ${token}` }
    if (ask !== undefined) headers['content-type'] = 'application/json'
    if (key !== undefined) headers['idempotency-key'] = key
    const body = ask === undefined ? {} : { body: canonical(ask) }
    return await send(method, path, { headers, token, ...body })
  }

  const fetch: Client['fetch'] = async (credential, target, init = {}) => {
    const { method = 'GET', body, headers, signal } = init
    const path = pathBelow(options.issuer, credential, target)
    const token = await sessionToken()
    const text = body === undefined ? {} : { body: canonical(body) }
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const own = { ...headers, ...type, authorization: `DPoP ${token}` }
    return await pass(method, path, { headers: own, token, ...text }, signal)
  }
  return { connect, held, call, fetch }
}

export function createClient(options: ClientOptions): Client {
  const { key } = options
  const { connect, held, call, fetch } = createConnection(options)
  const get = async (path: string) => (await call('GET', path)).body
  return {
    jkt: key.jkt,
    connect: () => connect(),
    async requestCredential(ask, idempotencyKey = randomUUID()) {
      const members = withoutAbsent({ ...ask })
      return answerOf(await call('POST', '/v1/credentials', members, idempotencyKey))
    },
    fetch,
    explain: async (ask) => (await call('POST', '/v1/explain', withoutAbsent({ ...ask }))).body,
    credential: (id) => get(at('credentials', id)),
    giveBack: async (id) => (await call('DELETE', at('credentials', id))).body,
    approval: (id, waitSeconds = 0) => get(`${at('approvals', id)}?wait=${String(waitSeconds)}`),
    decision: (id) => get(at('decisions', id)),
    holding: async () => holdingOf(await held(0)),
    async delegate(ask) {
      const { token, ...handed } = signHop(await held(ask.ttl ?? 0), key, ask, Date.now())
      // What it rests on is on record already, and need not travel again.
      const { body } = await call('POST', '/v1/delegations', { chain: token }, randomUUID())
      return { ...handed, id: idIn(body) }
    },
    delegation: (id) => get(at('delegations', id)),
  }
}

function idIn({ id }: JsonObject): string {
  if (typeof id !== 'string') throw new Unreachable('the broker told no id')
  return id
}

/** @throws TypeError for what is no credential of this broker to be called through it */
function pathBelow(issuer: string, { kind, base_url: base }: JsonObject, target: string): string {
  if (kind !== 'proxy' || typeof base !== 'string' || !base.startsWith(`${issuer}/v1/proxy/`)) {
    throw new TypeError('not a credential to call through this broker')
  }
  return base.slice(issuer.length) + target.replace(/^\//, '')
}

const at = (kind: string, id: string) => `/v1/${kind}/${encodeURIComponent(id)}`

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
