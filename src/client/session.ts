/** Getting a session: straight under a consent, or under what another agent handed on. */
import { canonical, type JsonObject } from '../domain/json.ts'
import { Unreachable } from './errors.ts'

const RENEW_SECONDS = 30

export interface SessionOptions {
  /** A fresh client assertion, made when a session is opened. */
  readonly assertion: () => Promise<Assertion> | Assertion
  /** A consent, where the agent has several. */
  readonly consent?: string
  /** What was handed on to this run: `chain` of the delegator's `delegate`. It then needs no consent. */
  readonly chain?: string
  /** Which model this instance says it runs on. */
  readonly model?: { readonly name: string; readonly tier: string }
}

export interface Assertion {
  readonly type: 'jwt-bearer' | 'jwt-spiffe'
  readonly token: string
}

export interface Session {
  readonly token: string
  /** Milliseconds since 1970; the same of the root. */
  readonly renewAt: number
  /** `null` unless asked for, and allowed. */
  readonly root: { readonly token: string; readonly endsAt: number } | null
}

export interface SessionWanted {
  /** Something to hand on, too: only straight under a consent. */
  readonly root: boolean
  /** The broker has the whole chain on record: the last of it will do. */
  readonly isKnown: boolean
}

/** The form of `POST /oauth/token`; with a chain, a token exchange (RFC 8693). */
export async function sessionForm(
  { assertion, consent, chain, model }: SessionOptions,
  { root, isKnown }: SessionWanted,
): Promise<string> {
  const { type, token } = await assertion()
  const form = new URLSearchParams({
    client_assertion_type: `urn:ietf:params:oauth:client-assertion-type:${type}`,
    client_assertion: token,
  })
  if (chain === undefined) {
    form.set('grant_type', 'client_credentials')
    if (consent !== undefined) form.set('consent_id', consent)
    if (root) form.set('delegation_root', 'true')
  } else {
    form.set('grant_type', 'urn:ietf:params:oauth:grant-type:token-exchange')
    form.set('subject_token_type', 'urn:procura:token-type:delegation-chain')
    form.set('subject_token', isKnown ? chain.slice(chain.lastIndexOf('~') + 1) : chain)
  }
  if (model !== undefined) form.set('model', canonical({ ...model }))
  return form.toString()
}

/** @throws Unreachable when what answered gave no session */
export function sessionIn(body: JsonObject): Session {
  const { access_token: token, expires_in: seconds, token_type: type } = body
  if (typeof token !== 'string' || typeof seconds !== 'number' || type !== 'DPoP') {
    throw new Unreachable('the broker gave no session')
  }
  const { delegation_root: root, delegation_root_expires_in: rootSeconds } = body
  const now = Date.now()
  return {
    ...{ token, renewAt: now + (seconds - RENEW_SECONDS) * 1000 },
    root:
      typeof root === 'string' && typeof rootSeconds === 'number'
        ? { token: root, endsAt: now + rootSeconds * 1000 }
        : null,
  }
}
