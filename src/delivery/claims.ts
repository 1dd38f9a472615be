/** A signed decision as the delivering side reads it: every claim known, or nothing is made. */
import { z } from 'zod'
import { digestOf, sha256Bytes } from '../domain/digest.ts'
import { type Id, type IdPrefix, isId, newId } from '../domain/ids.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import { JwsError, readToken, type Verifier } from '../domain/jws.ts'
import { CONNECTORS, type Intent } from '../domain/lease.ts'
import { BrokerError } from '../domain/problems.ts'

const idOf = <Prefix extends IdPrefix>(prefix: Prefix) =>
  z.custom<Id<Prefix>>((value) => typeof value === 'string' && isId(prefix, value))
/** The token was read as JSON: what is in it needs no second look. */
const anObject = z.custom<JsonObject>((value) => isObject(value as Json))
const text = z.string().min(1)
const epoch = z.int().min(0)

const Claims = z.strictObject({
  ...{ iss: text, aud: text, iat: z.int(), exp: z.int(), jti: idOf('dec') },
  ...{ sub: idOf('spn'), client_id: idOf('agt'), instance_id: idOf('ins'), act: anObject },
  cnf: z.strictObject({ jkt: text }),
  chain: z
    .strictObject({ depth: z.int().min(1).max(7), leaf: text, delegation_id: idOf('dlg') })
    .nullable(),
  ...{ consent_id: idOf('con'), purpose: text, tool: text, tool_hash: text },
  ...{ target: text, connector: z.enum(CONNECTORS) },
  grant: z.strictObject({ permissions: anObject, target: text, connector: text }),
  ...{ args_hash: text, request_hash: text, ttl_seconds: z.int().min(1).max(3600) },
  level: z.enum(['L1', 'L2', 'L3']),
  approvals: z.array(idOf('apr')),
  conditions: z.array(z.unknown()),
  sender_constraint: z.enum(['dpop', 'none', 'proxy']),
  credential_id: idOf('crd'),
  ...{ revocation_epoch: epoch, policy_epoch: epoch },
  ...{ policy_set_hash: text, schema_hash: text, facts_hash: text, context_hash: text },
})
export type Claims = z.infer<typeof Claims>

/**
 * Reads what the PDP signed. Its age is judged by the database, as the lease opens.
 *
 * @throws BrokerError `internal_error`: our own halves do not agree, and nobody else is told more
 */
export function readDecision(signed: string, verifier: Verifier): Claims {
  try {
    return Claims.parse(readToken('decision', signed, verifier, { now: new Date(0) }).claims)
  } catch (cause) {
    if (!(cause instanceof JwsError || cause instanceof z.ZodError)) throw cause
    throw new BrokerError('internal_error', { cause, message: 'not a decision of our PDP' })
  }
}

/** An intent before the database has said when it begins. */
export type Draft = Omit<Intent, 'issuedAt'>

/** `expiresAt` counts from the decision, whose caps were reckoned then: it exceeds none of them. */
export function draftOf(claims: Claims, requestId: string): Draft {
  const { cnf, grant, credential_id: lease } = claims
  return {
    ...{ lease, decision: claims.jti, downstreamName: downstreamName(lease) },
    ...{ connector: claims.connector, target: claims.target, permissions: grant.permissions },
    ...{ grantHash: digestOf(grant), ttlSeconds: claims.ttl_seconds },
    expiresAt: new Date((claims.iat + claims.ttl_seconds) * 1000),
    ...{ senderConstraint: claims.sender_constraint, level: claims.level },
    ...{ tool: claims.tool, toolHash: claims.tool_hash, argsHash: claims.args_hash },
    ...{ requestHash: claims.request_hash, purpose: claims.purpose },
    ...{ sponsor: claims.sub, agent: claims.client_id, instance: claims.instance_id },
    ...{ consent: claims.consent_id, delegation: claims.chain?.delegation_id ?? null },
    ...{ jkt: cnf.jkt, act: claims.act, chain: claims.chain },
    ...{ revocationEpoch: claims.revocation_epoch, requestId },
    eventId: newId('evt', new Date(claims.iat * 1000)),
  }
}

/** What it will be called at the target: found again from the lease's id, whatever else is lost. */
export function downstreamName(lease: string): string {
  let bits = ''
  for (const octet of sha256Bytes('procura downstream\0', lease).subarray(0, 17)) {
    bits += octet.toString(2).padStart(8, '0')
  }
  let name = 'cb_'
  for (let at = 0; at < 130; at += 5) {
    name += ALPHABET.charAt(Number.parseInt(bits.slice(at, at + 5), 2))
  }
  return name
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
