/** From the domain to the wire: the one place where members get their snake_case names. */
import type { Approval } from '../domain/approval.ts'
import type { Authority } from '../domain/authority.ts'
import { termsBody } from '../domain/consent.ts'
import { leafOf } from '../domain/chain.ts'
import type { Answer, BudgetState, Rule, Ruling } from '../domain/decision.ts'
import type { JsonObject } from '../domain/json.ts'
import { deliveryOf, type Issued, type Lease } from '../domain/lease.ts'
import type { Outcome } from '../domain/ports.ts'
import type { Shown } from '../domain/problems.ts'
import { Secret } from '../domain/secret.ts'
import type { Decided, Delegation, Given, Opened, Registered } from './front.ts'
import type { GivenBack, Redemption } from './front-delivering.ts'
import type { FreezeHeld, Reach, Revoked } from './front-stopping.ts'

export function agentBody({ agent, eventId }: Registered) {
  const { id, sponsor, name, description, workload, status, createdAt } = agent
  return {
    ...{ id, sponsor_id: sponsor, name, description: description ?? undefined, workload, status },
    ...{ created_at: createdAt.toISOString(), event_id: eventId },
  }
}

export function consentBody({ consent, consentJwt, eventId }: Given) {
  const { id, sponsor, terms, termsHash, status, uses, createdAt } = consent
  return {
    ...{ id, sponsor_id: sponsor, status, ...termsBody(terms), terms_hash: termsHash },
    ...{ consent_jwt: consentJwt, uses, created_at: createdAt.toISOString(), event_id: eventId },
  }
}

export function authorizationDetails({
  scopes,
  constraints,
}: Pick<Authority, 'scopes' | 'constraints'>) {
  return [{ type: 'agent_delegation', scopes, constraints }]
}

export function sessionBody({ accessToken, expiresInSeconds, authority, ...of }: Opened) {
  return {
    ...{ access_token: accessToken.reveal(), token_type: 'DPoP', expires_in: expiresInSeconds },
    authorization_details: authorizationDetails(authority),
    ...{ purpose: authority.purpose, consent_id: of.consent, instance_id: of.instance },
    ...(of.delegation && {
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      delegation_id: of.delegation,
    }),
    ...(of.root && {
      delegation_root: of.root.token.reveal(),
      delegation_root_expires_in: of.root.expiresInSeconds,
    }),
  }
}

export function delegationBody({ id, hops, effective, ...of }: Delegation) {
  const { depth, tokenHash, agent, purpose } = leafOf({ hops })
  const { scopes, constraints, delMaxDepth } = effective
  return {
    ...{ id, depth, token_hash: tokenHash, consent_id: of.consent, delegate: agent, purpose },
    effective: { scopes, constraints, del_max_depth: delMaxDepth },
    ...{ expires_at: of.expiresAt.toISOString(), status: of.status, event_id: of.eventId },
  }
}

export function budgetBody({ account, key, type, limit, used }: BudgetState) {
  return { account, key, type, limit, used }
}

export function issuedBody({ lease, credential }: Extract<Outcome, { kind: 'issued' }>) {
  return { ...leaseBody(lease), credential: credential && credentialBody(credential) }
}

/** The one place where a secret is revealed: into the answer of the call that it was made for. */
function credentialBody({ kind, credential }: Issued) {
  return { kind, ...revealed(credential) }
}

function revealed(credential: Issued['credential']): JsonObject {
  const members = Object.entries(credential).map(([name, value]) => {
    if (value instanceof Secret) return [name, value.reveal()]
    return [name, typeof value === 'object' ? revealed(value) : value]
  })
  return Object.fromEntries(members) as JsonObject
}

export function leaseBody(lease: Lease) {
  const { id, state, decision, tool, argsHash, purpose, level, senderConstraint } = lease
  return {
    ...{ id, lease_id: id, lease_duration: lease.ttlSeconds, renewable: false, status: state },
    ...{ expires_at: lease.expiresAt.toISOString(), decision_id: decision, tool },
    ...{ args_hash: argsHash, purpose, level, delivery: deliveryOf(lease) },
    ...{ sender_constraint: senderConstraint, consent_id: lease.consent },
    ...{ event_id: lease.eventId, ended_at: lease.endedAt?.toISOString() },
    confirmed_dead_at: lease.confirmedDeadAt?.toISOString(),
  }
}

export function givenBackBody({ id, status, refunded, confirmedDeadAt }: GivenBack) {
  return { id, status, refunded, confirmed_dead_at: confirmedDeadAt?.toISOString() ?? null }
}

export function pendingBody(asked: Extract<Ruling, { kind: 'ask' }>, issuer: string) {
  const { decision, level, argsHash, approval, rules } = asked
  return {
    ...{ status: 'pending', code: 'approval_pending', decision_id: decision, level },
    ...{ args_hash: argsHash, asked_by: rules.map(({ id }) => id) },
    approval: {
      ...{ id: approval.id, status: 'pending', expires_at: approval.expiresAt.toISOString() },
      status_endpoint: `${issuer}/v1/approvals/${approval.id}`,
    },
  }
}

/** What an agent is told of a no: whom it stopped, which rule, what would change it. */
export function refusalOf(
  answer: Extract<Answer, { kind: 'deny' | 'none' }>,
  decision: string,
): Shown {
  const { stoppedBy } = answer
  if (answer.kind === 'none') {
    const unavailableInput = answer.input
    return {
      ...{ decision, stoppedBy, evaluation: { status: 'not_evaluated', unavailableInput } },
    }
  }
  const { detail, reason, outcome, field, budget } = answer
  return {
    ...{ decision, stoppedBy, detail, evaluation: EVALUATED },
    ...(reason !== undefined && { reason }),
    ...(outcome !== undefined && { outcome, hop: stoppedBy.hop }),
    ...(field !== undefined && { field }),
    ...(budget !== undefined && { budget }),
  }
}

const EVALUATED = { status: 'evaluated', unavailableInput: null } as const

/** What whoever may approve is shown. `shown` was fixed when it was asked. */
export function approvalBody(approval: Approval) {
  const { id, status, asked, sponsor, bindingHash, justification } = approval
  const isGiven = approval.approver !== null && status === 'approved'
  return {
    ...{ sponsor: { id: sponsor }, ...approval.shown },
    ...{ id, status, level: asked.level, quorum: { needed: 1, given: isGiven ? 1 : 0 } },
    ...times(approval),
    ...{ asked_by: asked.rules, binding_hash: bindingHash },
    ...{ decision_id: approval.decision, approver_id: approval.approver ?? undefined },
    justification: justification === null ? null : { written_by: 'agent', text: justification },
  }
}

/** What the agent that asked is shown. */
export function ownApprovalBody(approval: Approval) {
  const { id, status, asked } = approval
  return { id, status, level: asked.level, ...times(approval), next_action: NEXT[status] }
}

const NEXT = {
  ...{ pending: 'wait', approved: 'resubmit', denied: 'none' },
  ...{ expired: 'none', cancelled: 'none', failed: 'none' },
} as const satisfies Record<Approval['status'], string>

function times({ createdAt, expiresAt, approvedUntil }: Approval) {
  return {
    ...{ created_at: createdAt.toISOString(), expires_at: expiresAt.toISOString() },
    approved_until: approvedUntil?.toISOString(),
  }
}

export function decidedBody({ approval, evidence, eventId }: Decided) {
  const { id, status, approvedUntil } = approval
  const given = status === 'approved' ? 1 : 0
  return {
    ...{ id, status, quorum: { needed: 1, given } },
    ...{ approved_until: approvedUntil?.toISOString() ?? null, evidence, event_id: eventId },
  }
}

export function revokedBody({ revocation, confirmations, eventId }: Revoked) {
  const { id, target, cause, at, counts } = revocation
  const { confirmed, pending, notSupported } = confirmations
  return {
    ...{ id, target, cause, at: at.toISOString(), revoked: counts },
    ...{ confirmations: { confirmed, pending, not_supported: notSupported }, event_id: eventId },
  }
}

const REACHED_TOLD = 1000

/** What would be stopped. Of very much, the counts tell all and the list a part. */
export function reachBody({ counts, reached }: Reach, target: { kind: string; id: string }) {
  return {
    ...{ dry_run: true, target, revoked: counts, is_cut: reached.length > REACHED_TOLD },
    reached: reached.slice(0, REACHED_TOLD).map(({ kind, id, under, agent, expiresAt }) => ({
      ...{ kind, id, under, agent_id: agent, expires_at: expiresAt.toISOString() },
    })),
  }
}

export function freezeBody({ freeze, eventId }: FreezeHeld) {
  const { id, scope, since, liftedAt } = freeze
  return {
    ...{ id, scope: { kind: scope.kind, id: scope.id ?? undefined } },
    ...{ state: liftedAt === null ? 'frozen' : 'lifted', since: since.toISOString() },
    ...{ lifted_at: liftedAt?.toISOString(), event_id: eventId },
  }
}

export function redemptionBody(redemption: Redemption) {
  const { credential, redeemedAt, tool, argsHash, purpose, sub, clientId, act } = redemption
  return {
    ...{ credential_id: credential, redeemed_at: redeemedAt.toISOString(), tool },
    ...{ args_hash: argsHash, purpose, sub, client_id: clientId, act },
    ...{ decision_id: redemption.decision, expires_at: redemption.expiresAt.toISOString() },
    event_id: redemption.eventId,
  }
}

export function ruleBody({ id, effect, says, asks }: Rule) {
  return { id, effect, annotations: { say: says ?? undefined, ask: asks ?? undefined } }
}
