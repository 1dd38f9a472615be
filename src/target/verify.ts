/**
 * What a service does with a credential that it is shown: is it ours, for us, of whoever holds this key,
 * and for exactly this call? That it was not spent yet only the broker knows: `redeem` asks it.
 */
import { type Digest, digestOf } from '../domain/digest.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import { JwsError, type PublicKeySet, readToken } from '../domain/jws.ts'
import { type CredentialKeys, KeysUnavailable } from './keys.ts'
import { checkProof, type Proof } from './proof.ts'
import { refuse, type Refusal } from './refusal.ts'

export { createCredentialKeys, type CredentialKeys, KeysUnavailable } from './keys.ts'
export { createProofStore, type ProofStore } from './replay.ts'
export { challenge, type Refusal } from './refusal.ts'

export interface Shown {
  /** The broker's. */
  readonly issuer: string
  /** This service's own. */
  readonly audience: string
  readonly keys: CredentialKeys
  /** True the first time, and false from then on until that moment. Shared by all who serve. */
  readonly isFirst: (proof: string, until: Date) => boolean | Promise<boolean>
  /** From `Authorization: DPoP …`, and the `DPoP` header; `null` where there is none. */
  readonly token: string | null
  readonly proof: string | null
  readonly method: string
  /** Where the call was sent: this service's own origin, and the path. */
  readonly url: string
  readonly tool: string
  /** Of the call that is about to be made, as it was received. */
  readonly args: JsonObject
  readonly now: Date
}

export interface Verified {
  readonly ok: true
  readonly claims: JsonObject
  readonly token: string
  readonly argsHash: string
}

/** Fails closed: what cannot be checked is `unavailable`, and not served. */
export async function verifyCredential(shown: Shown): Promise<Verified | Refusal> {
  const { token, args, method, url, now } = shown
  if (token === null || token === '') return refuse('invalid_token', 'missing')
  const read = await readCredential(shown, token)
  if ('ok' in read) return read
  const { claims } = read

  const jkt = isObject(claims['cnf']) ? claims['cnf']['jkt'] : undefined
  if (typeof jkt !== 'string') return refuse('invalid_token', 'cnf')
  const proof = attempt(() => checkProof(shown.proof, { token, jkt, method, url, now }))
  if (proof instanceof JwsError) return refuse('invalid_dpop_proof', proof.message)

  const argsHash = hashOf(args)
  if (argsHash === null) return refuse('invalid_request', 'args')
  const called = callIn(claims)
  if (called === null) return refuse('invalid_token', 'authorization_details')
  if (called['tool'] !== shown.tool) return refuse('insufficient_scope', 'tool')
  if (called['args_hash'] !== argsHash) return refuse('insufficient_scope', 'args_hash')

  // Last, so that a call that was refused for another reason may be mended with the same proof.
  if (!(await shown.isFirst(`${jkt} ${proof.jti}`, proof.usableUntil))) {
    return refuse('invalid_dpop_proof', 'replay')
  }
  return { ok: true, claims, token, argsHash }
}

/** A key that is not known is asked for once more: it may be newer than what is kept. */
async function readCredential(
  { issuer, audience, keys, now }: Shown,
  token: string,
): Promise<{ readonly claims: JsonObject } | Refusal> {
  const tried = (found: readonly PublicKeySet[number][]) =>
    attempt(() =>
      readToken('credential', token, { issuer, keys: found as PublicKeySet }, { now, audience }),
    )
  try {
    let read = tried(await keys.current())
    if (read instanceof JwsError && read.message === 'kid') read = tried(await keys.again())
    return read instanceof JwsError
      ? refuse('invalid_token', read.message)
      : { claims: read.claims }
  } catch (error) {
    if (error instanceof KeysUnavailable) return refuse('unavailable', 'keys')
    throw error
  }
}

function attempt<T extends Proof | { readonly claims: JsonObject }>(check: () => T): T | JwsError {
  try {
    return check()
  } catch (error) {
    if (error instanceof JwsError) return error
    throw error
  }
}

/** `null` where they are no JSON that has one spelling. */
function hashOf(args: JsonObject): Digest | null {
  try {
    return isObject(args) ? digestOf(args) : null
  } catch {
    return null
  }
}

/** The one `tool_call` that it is for. */
function callIn({ authorization_details: details }: JsonObject): JsonObject | null {
  const [call, ...more]: Json[] = Array.isArray(details) ? details : []
  return isObject(call) && more.length === 0 && call['type'] === 'tool_call' ? call : null
}
