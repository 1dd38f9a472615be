/** Domain events → the members of a leaf (snake_case, closed, no secret among them). */
import type { Agent } from '../domain/agent.ts'
import { digestOf } from '../domain/digest.ts'
import type { LedgerEntry, Proxied, Unredeemed } from '../domain/entry.ts'
import type { JsonObject } from '../domain/json.ts'
import {
  approvalMember,
  callShown,
  consentMembers,
  credentialOf,
  decisionMembers,
  freezeMember,
  intentMembers,
  refundMember,
  revocationMember,
  pathMembers,
  without,
} from './members.ts'

type Types = LedgerEntry['type']
type EntryOf<Type extends Types> = Extract<LedgerEntry, { type: Type }>
type Members = { readonly [Type in Types]: (entry: EntryOf<Type>) => JsonObject }

/** What the leaf of this event says, besides the members that every leaf has. */
export function membersOf<Type extends Types>(entry: EntryOf<Type>): JsonObject {
  const members: (entry: EntryOf<Type>) => JsonObject = MEMBERS[entry.type]
  return members(entry)
}

const agentMembers = ({ agent }: { readonly agent: Agent }): JsonObject => ({
  sponsor_id: agent.sponsor,
  change: { kind: 'role', name: agent.id, after_hash: digestOf({ ...agent.workload }) },
})

/** The target refused, or was never asked; after anything else there may have been something to take back. */
const NEVER_MADE: ReadonlySet<string> = new Set(['downstream_failed', 'aborted'])

/** What was decided, as its own entry says it: nothing was ever made of it. */
function unredeemedMembers({ decision, credential, decided }: Unredeemed): JsonObject {
  const { sponsor_id, subject_kind, consent_id, purpose, chain, call } = decided
  return without({
    ...{ sponsor_id, subject_kind, consent_id, purpose, chain, call },
    credential: { id: credential, decision_id: decision, status: 'failed' },
  })
}

function failureMembers(entry: EntryOf<'issuance_failed'>): JsonObject {
  const isRedeemed = 'intent' in entry
  const reason = isRedeemed ? entry.reason : 'aborted'
  return {
    evaluation: { status: 'evaluated', unavailable_input: null },
    budgets: entry.refunded.map(refundMember),
    remediation: {
      target: {
        kind: 'credential',
        id: isRedeemed ? entry.intent.lease : entry.unredeemed.credential,
      },
      cause: reason,
      outcome: NEVER_MADE.has(reason) ? 'none_exists' : 'taken_back',
    },
    reason,
  }
}

/** Our own egress: what was sent is what was allowed, or was not sent. */
function proxiedMembers({ observed, upstream, reason }: Proxied): JsonObject {
  const agreement = { occurred: 'agree', none: 'not_exercised', unknown: 'indeterminate' }[observed]
  const effect = { observed, source: 'proxy', agreement, upstream: upstream ?? undefined }
  return without({ effect: without(effect), reason: reason ?? undefined })
}

const MEMBERS: Members = {
  log_opened: ({ name }) => ({ change: { kind: 'log', name } }),
  agent_registered: agentMembers,
  agent_retired: agentMembers,
  consent_granted: ({ consent, evidenceHash }) => consentMembers(consent, evidenceHash),
  session_issued: pathMembers,
  root_issued: pathMembers,
  delegation_registered: pathMembers,
  decision: ({ settled }) => decisionMembers(settled),
  explained: ({ settled }) => decisionMembers(settled),
  approval_requested: ({ settled, approval }) => {
    const { call, decision, sponsor_id, consent_id } = decisionMembers(settled)
    return without({ sponsor_id, consent_id, call, decision, approval: approvalMember(approval) })
  },
  approval_decided: ({ approval, decided, evidenceHash }) => ({
    sponsor_id: approval.sponsor,
    consent_id: approval.consent,
    call: callShown(approval),
    approval: { ...approvalMember(approval), decision: decided, evidence_hash: evidenceHash },
  }),
  issuance: ({ intent, kind, expiresAt }) => ({
    ...intentMembers(intent),
    credential: {
      ...credentialOf(intent, 'active'),
      kind,
      expires_at: expiresAt.toISOString(),
    },
  }),
  issuance_failed: (entry) => ({
    ...('intent' in entry
      ? { ...intentMembers(entry.intent), credential: credentialOf(entry.intent, 'failed') }
      : unredeemedMembers(entry.unredeemed)),
    ...failureMembers(entry),
  }),
  usage: (entry) => ({
    ...intentMembers(entry.intent),
    credential: { id: entry.intent.lease, decision_id: entry.intent.decision },
    ...(entry.source === 'proxy'
      ? proxiedMembers(entry.call)
      : { effect: { observed: 'occurred', source: entry.source, agreement: 'agree' } }),
  }),
  credential_ended: ({ credential, effect, reason, refunded }) =>
    without({
      credential: { id: credential },
      effect: { ...effect },
      reason,
      budgets: refunded.length > 0 ? refunded.map(refundMember) : undefined,
    }),
  revocation: ({ revocation }) => ({ remediation: revocationMember(revocation) }),
  freeze: ({ freeze }) => ({ remediation: freezeMember(freeze) }),
  canary_tripped: (entry) => ({
    effect: { observed: 'none', source: 'none', agreement: 'not_exercised' },
    ...('freeze' in entry
      ? { credential: { id: entry.credential }, remediation: freezeMember(entry.freeze) }
      : { remediation: revocationMember(entry.revocation), cause_event: entry.causeEvent }),
  }),
  remediation: (entry) =>
    without({
      remediation: without({
        id: entry.revocation ?? undefined,
        target: { kind: 'credential', id: entry.credential },
        cause: entry.cause,
        outcome: entry.outcome,
        attempts: entry.attempts,
        confirmed_dead_at: entry.confirmedDeadAt?.toISOString(),
      }),
      cause_event: entry.causeEvent,
    }),
  refusals: ({ windowStart, windowSeconds, refusedAt, code, caller, count }) => ({
    refusals: {
      window_start: windowStart.toISOString(),
      window_seconds: windowSeconds,
      face: refusedAt,
      ...{ code, caller, count },
    },
  }),
  admin_change: ({ kind, name, beforeHash, afterHash, reasonCode }) => ({
    change: without({
      ...{ kind, name },
      before_hash: beforeHash ?? undefined,
      after_hash: afterHash ?? undefined,
      reason_code: reasonCode,
    }),
  }),
  outage: ({ reason, count }) => ({
    reason,
    refusals: { face: 'system', code: 'unavailable', caller: null, count },
  }),
}
