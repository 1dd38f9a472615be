/** What is on record as allowed → `pdp-decision+jwt`. Nothing else is ever signed with the PDP's key. */
import { actOf, chainClaim, leafOf } from '../domain/chain.ts'
import type { Settled, SignedDecision } from '../domain/decision.ts'
import type { JsonObject } from '../domain/json.ts'
import { signToken, type Signer } from '../domain/jws.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Recorded } from '../domain/recorded.ts'

/** Seconds from the reading of the chain, by the database's clock, to the end of the decision. */
const LIFE_SECONDS = 60

/**
 * @throws BrokerError `unavailable` `keys`: it stays on record, nobody redeems it, and what it spent is
 *   given back when its time is over
 */
export async function sign({ value }: Recorded<Settled>, signer: Signer): Promise<SignedDecision> {
  try {
    const token = await signToken('decision', claimsOf(value, signer.issuer), signer)
    return token as SignedDecision
  } catch (error) {
    if (!(error instanceof BrokerError)) throw error
    const shown = { ...error.shown, decision: value.decision.id, fix: ASK_ANEW }
    throw new BrokerError(error.code, { cause: error.cause, message: error.message, shown })
  }
}

const ASK_ANEW = 'Ask again after Retry-After, with a new Idempotency-Key; nothing was issued'

function claimsOf({ decision, revocationEpoch }: Settled, issuer: string): JsonObject {
  const { answer, grant, chain, call, level, approval } = decision
  const { agent, instance, jkt } = leafOf(chain)
  if (answer.kind !== 'allow' || grant === null || level === null) {
    throw new TypeError('only an allow is signed')
  }
  if (jkt === null || instance === null) throw new TypeError('nobody has proven to be the caller')
  const iat = Math.floor(chain.readAt.getTime() / 1000)
  return {
    ...{ iat, exp: iat + LIFE_SECONDS, jti: decision.id },
    ...{ sub: chain.consent.sponsor, client_id: agent, instance_id: instance },
    ...{ act: actOf(chain.hops, issuer), cnf: { jkt }, chain: chainClaim(chain) },
    ...{ consent_id: chain.consent.id, purpose: decision.purpose },
    ...{ tool: call.tool.name, tool_hash: call.tool.hash },
    ...{ target: grant.target, connector: grant.connector },
    grant: {
      permissions: grant.permissions,
      target: grant.target,
      connector: grant.connector,
    },
    ...{ args_hash: call.argsHash, request_hash: decision.requestHash },
    ...{ ttl_seconds: grant.ttlSeconds, level, conditions: [] },
    approvals: approval === null ? [] : [approval],
    ...{ sender_constraint: grant.senderConstraint, credential_id: decision.credential },
    ...{ revocation_epoch: revocationEpoch, policy_epoch: decision.policyEpoch },
    ...{ policy_set_hash: decision.policySetHash, schema_hash: decision.schemaHash },
    ...{ facts_hash: call.factsHash, context_hash: decision.contextHash },
  }
}
