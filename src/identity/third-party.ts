/** JWTs that others signed: one verifier, which each kind gives its own closed lists. */
import type { JsonObject } from '../domain/json.ts'
import { JwsError } from '../domain/jws.ts'
import { type Algorithm, isSignedBy } from './algorithms.ts'
import { takeApart, type Unverified } from './compact.ts'
import { allows, type VerifyKey } from './jwks.ts'
import { standInFor } from './stand-in.ts'

/** Of one token. */
export const MAX_BYTES = 8192
/** Clock skew allowed to third parties. */
export const SKEW_SECONDS = 10
const FOREIGN_KEYS = ['jwk', 'jku', 'x5c', 'x5u']

export interface Kind {
  readonly algorithms: readonly Algorithm[]
  /** Accepted `typ` headers; `null` stands for none. */
  readonly types: readonly (string | null)[]
  /** `only`: the audience is ours and nobody else's. `among`: ours is one of them. */
  readonly audiences: 'only' | 'among'
}

export interface Verifying {
  readonly kind: Kind
  readonly audience: string
  /** Finds the key by what the token says of its issuer; `null` where nobody is configured. */
  readonly keyFor: (claims: JsonObject, header: JsonObject) => Promise<VerifyKey | null>
  readonly now: Date
}

export interface ThirdParty {
  readonly claims: JsonObject
  readonly tokenHash: string
  readonly expiresAt: Date
}

/**
 * Verifies form, type, algorithm, signature, audience and times, in that order. Nothing in the token
 * chooses how it is verified.
 *
 * @throws JwsError whose message is for the log, never for the caller
 * @throws BrokerError `unavailable` when the keys cannot be had
 */
export async function verifyThirdParty(token: string, verifying: Verifying): Promise<ThirdParty> {
  const { kind, audience, keyFor, now } = verifying
  const unverified = takeApart(token, MAX_BYTES)
  const { header, claims, tokenHash } = unverified
  if (FOREIGN_KEYS.some((name) => name in header)) throw new JwsError('header_not_allowed')
  // Whose key needs no name, its token may name it: then as a name.
  if ('kid' in header) kidOf(header)
  const algorithm = kind.algorithms.find((name) => name === header['alg'])
  if (algorithm === undefined) throw new JwsError('alg_not_allowed')
  if (!kind.types.some((type) => type === (header['typ'] ?? null))) throw new JwsError('wrong_type')
  checkSignature(unverified, algorithm, await keyFor(claims, header))
  checkAudience(claims, audience, kind.audiences)
  return { claims, tokenHash, expiresAt: checkTimes(claims, now) }
}

/** A `kid` as a name to look up, nothing more. */
export function kidOf({ kid }: JsonObject): string {
  if (typeof kid !== 'string' || kid === '' || kid.length > 256) throw new JwsError('kid')
  return kid
}

function checkSignature(
  { input, signature }: Unverified,
  algorithm: Algorithm,
  key: VerifyKey | null,
): void {
  if (key === null) {
    // As long as for a known one: who is configured or registered is not told by the time it takes.
    isSignedBy(standInFor(algorithm), algorithm, input, signature)
    throw new JwsError('kid')
  }
  if (!allows(key, algorithm)) throw new JwsError('alg_not_allowed')
  if (!isSignedBy(key.key, algorithm, input, signature)) throw new JwsError('bad_signature')
}

function checkAudience({ aud }: JsonObject, ours: string, rule: Kind['audiences']): void {
  const named = Array.isArray(aud) ? aud : [aud]
  const isOurs = rule === 'among' ? named.includes(ours) : named.length === 1 && named[0] === ours
  if (!isOurs) throw new JwsError('aud')
}

function checkTimes({ exp, nbf, iat }: JsonObject, now: Date): Date {
  const seconds = now.getTime() / 1000
  if (typeof exp !== 'number' || Math.abs(exp) > 8.64e12) throw new JwsError('exp')
  if (exp + SKEW_SECONDS <= seconds) throw new JwsError('exp')
  for (const [name, from] of Object.entries({ nbf, iat })) {
    if (from === undefined) continue
    if (typeof from !== 'number' || from > seconds + SKEW_SECONDS) throw new JwsError(name)
  }
  return new Date(exp * 1000)
}
