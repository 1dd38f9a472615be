/** Redeeming a decision: what must hold between "signed" and "made", in the one statement that opens the lease. */
import type { Pool } from 'pg'
import { digestOf } from '../domain/digest.ts'
import { isObject, JsonError, readJson } from '../domain/json.ts'
import type { Verifier } from '../domain/jws.ts'
import type { Delivering, Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import { bySystem, type Presented } from '../domain/request.ts'
import { type Claims, type Draft, draftOf, readDecision } from './claims.ts'
import { refundUnused } from './endings.ts'
import { type Found, leaseOpener, openFailed } from './leases.ts'
import { refusalFor } from './stopped.ts'
import type { Target, Targets } from './targets.ts'

export interface Redeeming {
  readonly tenant: string
  readonly pool: Pool
  readonly ledger: Ledger
  /** Verifies decisions. */
  readonly decisions: Verifier
  readonly targets: Targets
}

/**
 * Opens the lease of a decision. A refusal uses the decision up, on record, and gives back what it
 * spent; but not where it was used before: then somebody has what came of it.
 *
 * @throws BrokerError `internal_error`, `decision_stale`, `chain_invalid`, `frozen`, `ttl_unavailable`,
 *   `unavailable`
 */
export function createRedeem(redeeming: Redeeming): Delivering['cdp']['redeem'] {
  const { tenant, pool, decisions, targets } = redeeming
  const openLease = leaseOpener(pool, tenant)
  return async (signed, presented) => {
    const claims = readDecision(signed, decisions)
    const draft = draftOf(claims, presented.requestId)
    const target = targets.get(claims.target)
    const audience = target?.audience ?? null

    const unfit = unfitFor(claims, target, presented)
    if (unfit) return await refuse(redeeming, draft, audience, unfit)
    const exp = new Date(claims.exp * 1000)
    const found = await openLease(draft, { audience, policyEpoch: claims.policy_epoch, exp })
    if (found.opened) return { ...draft, issuedAt: found.now }
    const late = await lateFor(redeeming, claims, draft, found)
    if (late) return await refuse(redeeming, draft, audience, late)
    throw stale(draft, 'redeemed')
  }
}

/** What this side cannot or must not make, whenever it was signed. */
function unfitFor(
  claims: Claims,
  target: Target | undefined,
  presented: Presented,
): BrokerError | null {
  const { grant, connector, conditions, sender_constraint, ttl_seconds } = claims
  const no = (message: string) => new BrokerError('internal_error', { message })
  if (conditions.length > 0) return no('a condition that nobody here knows')
  if (collectorOf(presented) !== claims.cnf.jkt) return no('collected with another key')
  if (grant.target !== claims.target || grant.connector !== connector) return no('another grant')
  if (target?.connector.name !== connector) return no('no such target, or another connector')
  if (target.connector.senderConstraint !== sender_constraint) return no('another constraint')
  if (ttl_seconds < target.connector.ttlSecondsMin) return new BrokerError('ttl_unavailable')
  return null
}

/** What changed since it was signed. */
async function lateFor(
  { pool, tenant }: Redeeming,
  claims: Claims,
  draft: Draft,
  { now, policyEpoch, stopped }: Found,
): Promise<BrokerError | null> {
  if (now.getTime() >= Math.min(claims.exp * 1000, draft.expiresAt.getTime())) {
    return stale(draft, 'expired')
  }
  if (policyEpoch !== claims.policy_epoch) return stale(draft, 'policy_epoch')
  return stopped === null ? null : await refusalFor(pool, tenant, draft, stopped)
}

async function refuse(
  { tenant, ledger }: Redeeming,
  draft: Draft,
  audience: string | null,
  refusal: BrokerError,
): Promise<never> {
  await ledger.record(null, async (tx) => {
    if (!(await openFailed(tx, tenant, draft, audience))) throw stale(draft, 'redeemed')
    const refunded = await refundUnused(tx, tenant, draft.decision)
    const intent = { ...draft, issuedAt: tx.now }
    const act = bySystem(draft.requestId)
    return {
      entries: [{ type: 'issuance_failed', act, intent, reason: 'aborted', refunded }],
      value: null,
      answer: null,
    }
  })
  throw refusal
}

export function stale(
  { decision }: Pick<Draft, 'decision'>,
  reason: 'redeemed' | 'expired' | 'policy_epoch',
): BrokerError {
  return new BrokerError('decision_stale', { shown: { reason, decision } })
}

/** RFC 7638 thumbprint of the key whose proof came with the request. The front has verified that proof. */
function collectorOf({ dpop }: Presented): string | null {
  const [header = ''] = (dpop ?? '').split('.')
  try {
    const { jwk } = readJson(Buffer.from(header, 'base64url'))
    if (!isObject(jwk)) return null
    const { crv = null, kty = null, x = null, y } = jwk
    return digestOf({ crv, kty, x, ...(y !== undefined && { y }) })
  } catch (error) {
    if (error instanceof JsonError) return null // What is not a proof is nobody's.
    throw error
  }
}
