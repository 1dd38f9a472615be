/** The parts that several leaves are made of. */
import type { Approval } from '../domain/approval.ts'
import { authorityHash } from '../domain/authority-hash.ts'
import { leafOf, type Path } from '../domain/chain.ts'
import { authorityOf, type Consent, termsBody } from '../domain/consent.ts'
import type { Answer, Decision, Settled, Spent } from '../domain/decision.ts'
import { digestOf } from '../domain/digest.ts'
import type { Freeze, LedgerEntry, Revocation } from '../domain/entry.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import { deliveryOf, type Intent } from '../domain/lease.ts'
import type { Actor } from '../domain/request.ts'

export function actorMember(actor: Actor): JsonObject {
  return without({
    kind: actor.kind,
    id: actor.id,
    instance_id: actor.instance,
    roles: actor.roles ? [...actor.roles] : undefined,
    authentication: actor.authentication,
    credential_hash: actor.credentialHash,
    jkt: actor.jkt,
  })
}

export function consentMembers(consent: Consent, evidenceHash: string): JsonObject {
  const { terms } = consent
  const {
    tools,
    purpose,
    expires_at,
    max_uses,
    max_hops,
    delegates,
    max_ttl_seconds,
    constraints,
  } = termsBody(terms) as Record<string, JsonObject>
  return {
    sponsor_id: consent.sponsor,
    subject_kind: 'human',
    consent_id: consent.id,
    purpose: terms.purpose,
    consent: {
      terms_hash: consent.termsHash,
      agent_id: terms.agent,
      ...{
        tools,
        purpose,
        expires_at,
        max_uses,
        max_hops,
        delegates,
        max_ttl_seconds,
      },
      constraints_hash: digestOf(constraints ?? []),
      authority_hash: authorityHash(authorityOf(terms)),
      method: 'session',
      evidence_hash: evidenceHash,
    } as JsonObject,
  }
}

/** Of a session, a root or a hop. */
export function pathMembers(entry: Extract<LedgerEntry, { readonly path: Path }>): JsonObject {
  const { type, sponsor, consent, path } = entry
  const { model } = leafOf(path)
  return without({
    sponsor_id: sponsor,
    subject_kind: 'human',
    consent_id: consent,
    purpose: path.effective.purpose,
    chain: chainMember(path),
    posture:
      type === 'session_issued'
        ? { model: model && { ...model }, risk: 'low', signals: [] }
        : undefined,
  })
}

export function decisionMembers({ decision, revocationEpoch, spent }: Settled): JsonObject {
  const { chain, call, approval } = decision
  return without({
    sponsor_id: chain.consent.sponsor,
    subject_kind: 'human',
    consent_id: chain.consent.id,
    purpose: decision.purpose,
    data_classes: [...call.tool.dataClasses],
    chain: chainMember(chain),
    call: {
      ...{
        tool: call.tool.name,
        tool_hash: call.tool.hash,
        target: call.tool.target,
      },
      ...{ args_hash: call.argsHash, request_hash: decision.requestHash },
      ttl_seconds: decision.ttlSeconds,
    },
    decision: decisionMember(decision, revocationEpoch),
    evaluation: evaluationMember(decision.answer),
    posture: {
      model: leafOf(chain).model && { ...leafOf(chain).model },
      risk: call.tool.risk,
      signals: [],
    },
    budgets: spent.length > 0 ? spent.map(debitMember) : undefined,
    approval: approval === null ? undefined : { id: approval, binding_hash: decision.bindingHash },
  })
}

function decisionMember(decision: Decision, revocationEpoch: number): JsonObject {
  const { answer } = decision
  return {
    id: decision.id,
    answer: answer.kind,
    code: codeOf(answer),
    level: decision.level,
    stopped_by: 'stoppedBy' in answer ? { ...answer.stoppedBy } : null,
    policies: answer.rules.map(({ id, effect }) => ({ id, effect })),
    conditions: [],
    revocation_epoch: revocationEpoch,
    policy_epoch: decision.policyEpoch,
    policy_set_hash: decision.policySetHash,
    schema_hash: decision.schemaHash,
    facts_hash: decision.call.factsHash,
    context_hash: decision.contextHash,
    evaluator: decision.evaluator,
  }
}

/** The one word for an answer, the same on every face and on record. */
export function codeOf(answer: Answer): string {
  if (answer.kind === 'allow') return 'allowed'
  return answer.kind === 'ask' ? 'approval_pending' : answer.code
}

function evaluationMember(answer: Answer): JsonObject {
  if (answer.kind === 'none') return { status: 'not_evaluated', unavailable_input: answer.input }
  return { status: 'evaluated', unavailable_input: null }
}

function chainMember({ hops, effective }: Path): JsonObject {
  const { depth, tokenHash } = leafOf({ hops })
  return {
    leaf: tokenHash,
    depth,
    authority_hash: authorityHash(effective),
    hops: hops.map((hop) => ({
      ...{ depth: hop.depth, token_hash: hop.tokenHash, delegation_id: hop.delegation },
      ...{ client_id: hop.agent, instance_id: hop.instance, jkt: hop.jkt, purpose: hop.purpose },
      exp: Math.floor(hop.expiresAt.getTime() / 1000),
    })),
  }
}

export function intentMembers(intent: Intent): JsonObject {
  return {
    sponsor_id: intent.sponsor,
    subject_kind: 'human',
    consent_id: intent.consent,
    purpose: intent.purpose,
    chain: intent.chain ?? {
      leaf: null,
      depth: 0,
      hops: [
        {
          ...{
            depth: 0,
            token_hash: null,
            delegation_id: null,
            client_id: intent.agent,
          },
          ...{
            instance_id: intent.instance,
            jkt: intent.jkt,
            purpose: intent.purpose,
          },
        },
      ],
    },
    call: {
      ...{
        tool: intent.tool,
        tool_hash: intent.toolHash,
        target: intent.target,
      },
      ...{ args_hash: intent.argsHash, request_hash: intent.requestHash },
      ttl_seconds: intent.ttlSeconds,
    },
  }
}

export function credentialOf(intent: Intent, status: string): JsonObject {
  return {
    id: intent.lease,
    decision_id: intent.decision,
    connector: intent.connector,
    delivery: deliveryOf(intent),
    downstream_name: intent.downstreamName,
    grant_hash: intent.grantHash,
    ttl_seconds: intent.ttlSeconds,
    expires_at: intent.expiresAt.toISOString(),
    sender_constraint: intent.senderConstraint,
    status,
  }
}

export function approvalMember(approval: Approval): JsonObject {
  return without({
    id: approval.id,
    status: approval.status,
    binding_hash: approval.bindingHash,
    level: approval.asked.level,
    quorum: { needed: 1, given: approval.status === 'approved' ? 1 : 0 },
    approver_id: approval.approver ?? undefined,
    method: approval.approver === null ? 'system' : 'session',
    approved_until: approval.approvedUntil?.toISOString(),
    shown_hash: digestOf(approval.shown),
  })
}

export function callShown({ shown }: Approval): JsonObject {
  const { tool, tool_hash, target, args_hash } = shown
  return without({ tool, tool_hash, target, args_hash })
}

export function revocationMember({ id, target, cause, counts, at }: Revocation): JsonObject {
  return {
    id,
    target: { ...target },
    cause,
    counts: { ...counts },
    enforced_at: at.toISOString(),
  }
}

/** Frozen, or lifted: whichever came last. */
export function freezeMember({ id, scope, cause, since, liftedAt }: Freeze): JsonObject {
  return {
    id,
    target: without({ kind: scope.kind, id: scope.id ?? undefined }),
    cause,
    outcome: liftedAt === null ? 'frozen' : 'lifted',
    enforced_at: (liftedAt ?? since).toISOString(),
  }
}

const debitMember = ({ account, key, type, limit, amount, usedAfter }: Spent): JsonObject => ({
  ...{ account, key, type, limit },
  ...{ debited: amount, used_after: usedAfter },
})
export const refundMember = (spent: Spent): JsonObject => ({
  ...debitMember(spent),
  debited: -spent.amount,
})

export function without(members: Record<string, Json | undefined>): JsonObject {
  const stated = Object.entries(members).filter(([, value]) => value !== undefined)
  return Object.fromEntries(stated) as JsonObject
}
