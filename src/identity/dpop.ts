/** A DPoP proof (RFC 9449 §4.3), with `body_sha256`: the twelve checks and one of ours, in order. */
import { sha256 } from '../domain/digest.ts'
import type { JsonObject } from '../domain/json.ts'
import { JwsError } from '../domain/jws.ts'
import { BrokerError } from '../domain/problems.ts'
import { isSignedBy } from './algorithms.ts'
import { createCache } from '../domain/cache.ts'
import { takeApart, type Unverified } from './compact.ts'
import { normalised } from './htu.ts'
import type { Nonces } from './nonce.ts'
import { type InstanceKey, membersOf, readInstanceKey } from './proof-key.ts'
import type { ReplayStore } from './replay.ts'

const MAX_BYTES = 4096
const LIFE_SECONDS = 60
const SKEW_SECONDS = 10
const KEYS_KEPT = 4000
const JTI = /^[A-Za-z0-9._~-]{8,128}$/

/** What the proof has to be about. */
export interface Expected {
  readonly method: string
  /** The broker's own origin and the path as received. `Host` and its like play no part. */
  readonly url: string
  /** `null` at the token endpoint, where the proof names the key that a session will be bound to. */
  readonly session: { readonly token: string; readonly jkt: string } | null
  readonly body: Uint8Array
  /** Whether a body must be covered (§2.2); a `body_sha256` that is there is always compared. */
  readonly isBodyBound: boolean
  /** `null` where the nonce, if any, is not ours to judge: a proof made to a target. */
  readonly nonces: Nonces | null
  readonly now: Date
}

export interface CheckedProof {
  readonly jkt: string
  readonly jti: string
  /** Until when a copy of it would still pass all checks but the one for replays. */
  readonly usableUntil: Date
}

/**
 * Checks everything about a proof but whether it was used before.
 *
 * @param header the `DPoP` header's value, `null` where there is none
 * @throws BrokerError `invalid_dpop_proof` with the check in `reason`, or `use_dpop_nonce`
 */
export function checkProof(header: string | null, expected: Expected): CheckedProof {
  if (header === null) throw refused('missing')
  if (header.includes(',')) throw refused('multiple')
  try {
    const proof = takeApart(header, MAX_BYTES)
    const { jti, iat } = readClaims(proof.claims)
    const { jkt } = checkSignature(proof)
    checkTarget(proof.claims, expected)
    checkNonce(proof.claims, expected)
    checkAge(iat, expected.now)
    checkBinding(proof.claims, jkt, expected)
    checkBody(proof.claims, expected)
    const usableUntil = new Date((iat + LIFE_SECONDS + SKEW_SECONDS) * 1000)
    return { jkt, jti, usableUntil }
  } catch (error) {
    throw error instanceof JwsError ? refused(error.message, error) : error
  }
}

/**
 * The last check, which uses it up.
 *
 * @throws BrokerError `invalid_dpop_proof`: it was used before, or is too old by the database's clock
 */
export async function useUp(
  replay: Pick<ReplayStore, 'useUp'>,
  { jkt, jti, usableUntil }: CheckedProof,
  usedBy: string | null = null,
): Promise<void> {
  const isFirst = await replay.useUp(jkt, jti, usableUntil, usedBy).catch((error: unknown) => {
    throw error instanceof JwsError ? refused('iat', error) : error
  })
  if (!isFirst) throw refused('replay')
}

/** A proof that fails, for a reason that its maker may know: it is about their own request. */
export function refused(check: string, cause?: unknown): BrokerError {
  const reason = `dpop_${check}`
  return new BrokerError('invalid_dpop_proof', { cause, message: reason, shown: { reason } })
}

function readClaims({ jti, htm, htu, iat }: JsonObject): { jti: string; iat: number } {
  if (typeof jti !== 'string' || !JTI.test(jti)) throw new JwsError('jti')
  if (typeof htm !== 'string' || typeof htu !== 'string') throw new JwsError('claims')
  if (typeof iat !== 'number') throw new JwsError('iat')
  return { jti, iat }
}

/** Keys that have signed before, by thumbprint: reading one costs a fifth of a verification. */
const keys = createCache<InstanceKey>(KEYS_KEPT)

function checkSignature({ header, input, signature }: Unverified): InstanceKey {
  const { typ, alg, jwk } = header
  if (typ !== 'dpop+jwt') throw new JwsError('typ')
  if (alg !== 'ES256' && alg !== 'Ed25519' && alg !== 'EdDSA') throw new JwsError('alg')
  if (['jku', 'x5c', 'x5u'].some((name) => name in header)) throw new JwsError('header_not_allowed')
  const { jkt } = membersOf(jwk)
  const known = keys.get(jkt) ?? readInstanceKey(jwk)
  if (!isSignedBy(known.key, alg, input, signature)) throw new JwsError('bad_signature')
  keys.set(jkt, known)
  return known
}

function checkTarget({ htm, htu }: JsonObject, { method, url }: Expected): void {
  if (htm !== method) throw new JwsError('htm')
  const named = typeof htu === 'string' ? normalised(htu) : null
  if (named === null || named !== normalised(url)) throw new JwsError('htu')
}

function checkNonce({ nonce }: JsonObject, { nonces, now }: Expected): void {
  if (nonces === null || (nonce === undefined && !nonces.isRequired)) return
  if (typeof nonce === 'string' && nonces.isFresh(nonce, now)) return
  throw new BrokerError('use_dpop_nonce', { message: 'dpop_nonce' })
}

function checkAge(iat: number, now: Date): void {
  const seconds = now.getTime() / 1000
  const isRecent = seconds - LIFE_SECONDS - SKEW_SECONDS <= iat && iat <= seconds + SKEW_SECONDS
  if (!isRecent) throw new JwsError('iat')
}

function checkBinding({ ath }: JsonObject, jkt: string, { session }: Expected): void {
  if (session === null) {
    if (ath !== undefined) throw new JwsError('ath')
    return
  }
  if (ath !== sha256(session.token)) throw new JwsError('ath')
  if (jkt !== session.jkt) throw new JwsError('key_mismatch')
}

function checkBody({ body_sha256: bound }: JsonObject, { body, isBodyBound }: Expected): void {
  if (bound === undefined && (body.length === 0 || !isBodyBound)) return
  // A hash over nothing is superfluous, and so not what our rule asks for.
  if (body.length === 0 || bound !== sha256(body)) throw new JwsError('body_sha256')
}
