/** Whom a call is made for, told to an authorization server: a token of the broker's, about one lease. */
import type { JsonObject } from '../../domain/json.ts'
import { type Signer, signToken } from '../../domain/jws.ts'
import type { Intent } from '../../domain/lease.ts'

const SECONDS = 60

/**
 * The sponsor, and in `act` (RFC 8693 §4.1) the agents that act for them, the last one first. It names
 * the lease, and says of the call what minted tokens say.
 *
 * @param audience whoever is to accept it, and nobody else
 */
export async function subjectToken(
  intent: Intent,
  audience: string,
  signer: Signer,
  now: Date,
): Promise<string> {
  const { sponsor, agent, act, lease, tool, argsHash, purpose, expiresAt } = intent
  const iat = Math.floor(now.getTime() / 1000)
  const claims: JsonObject = {
    ...{ sub: sponsor, aud: audience, client_id: agent, act, jti: lease },
    ...{ iat, exp: Math.min(iat + SECONDS, Math.floor(expiresAt.getTime() / 1000)) },
    authorization_details: [{ type: 'tool_call', tool, args_hash: argsHash, purpose }],
  }
  return await signToken('subject', claims, signer)
}
