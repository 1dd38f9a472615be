/** Domain events → the members of a leaf (snake_case, closed, no secret among them). */
import type { LedgerEntry } from '../domain/entry.ts'
import type { JsonObject } from '../domain/json.ts'
import {
  approvalMember,
  callShown,
  consentMembers,
  credentialOf,
  decisionMembers,
  intentMembers,
  refundMember,
  revocationMember,
  sessionMembers,
  without,
  workloadHash,
} from './members.ts'

/** What the leaf of this event says, besides the members that every leaf has. */
export function membersOf(entry: LedgerEntry): JsonObject {
  switch (entry.type) {
    case 'log_opened':
      return { change: { kind: 'log', name: entry.name } }
    case 'agent_registered':
    case 'agent_retired':
      return {
        sponsor_id: entry.agent.sponsor,
        change: {
          kind: 'role',
          name: entry.agent.id,
          after_hash: workloadHash(entry),
        },
      }
    case 'consent_granted':
      return consentMembers(entry.consent, entry.evidenceHash)
    case 'session_issued':
      return sessionMembers(entry)
    case 'decision':
    case 'explained':
      return decisionMembers(entry.settled)
    case 'approval_requested': {
      const { call, decision, sponsor_id, consent_id } = decisionMembers(entry.settled)
      const approval = approvalMember(entry.approval)
      return { sponsor_id, consent_id, call, decision, approval } as JsonObject
    }
    case 'approval_decided':
      return {
        sponsor_id: entry.approval.sponsor,
        consent_id: entry.approval.consent,
        call: callShown(entry.approval),
        approval: without({
          ...approvalMember(entry.approval),
          decision: entry.decided,
          evidence_hash: entry.evidenceHash,
        }),
      }
    case 'issuance':
      return {
        ...intentMembers(entry.intent),
        credential: {
          ...credentialOf(entry.intent, 'active'),
          kind: entry.kind,
          expires_at: entry.expiresAt.toISOString(),
        },
      }
    case 'issuance_failed':
      return {
        ...intentMembers(entry.intent),
        credential: credentialOf(entry.intent, 'failed'),
        evaluation: { status: 'evaluated', unavailable_input: null },
        budgets: entry.refunded.map(refundMember),
        remediation: {
          target: { kind: 'credential', id: entry.intent.lease },
          cause: entry.reason,
          outcome: entry.reason === 'not_recorded' ? 'taken_back' : 'none_exists',
        },
        reason: entry.reason,
      }
    case 'usage':
      return {
        ...intentMembers(entry.intent),
        credential: {
          id: entry.intent.lease,
          decision_id: entry.intent.decision,
        },
        effect: {
          observed: 'occurred',
          source: entry.source,
          agreement: 'agree',
        },
      }
    case 'credential_ended':
      return without({
        credential: { id: entry.credential },
        effect: { ...entry.effect },
        reason: entry.reason,
        budgets: entry.refunded.length > 0 ? entry.refunded.map(refundMember) : undefined,
      })
    case 'revocation':
      return { remediation: revocationMember(entry.revocation) }
    case 'remediation':
      return without({
        remediation: without({
          id: entry.revocation ?? undefined,
          target: { kind: 'credential', id: entry.credential },
          cause: entry.cause,
          outcome: entry.outcome,
          attempts: entry.attempts,
          confirmed_dead_at: entry.confirmedDeadAt?.toISOString(),
        }),
        cause_event: entry.causeEvent,
      })
    case 'refusals':
      return {
        refusals: {
          window_start: entry.windowStart.toISOString(),
          window_seconds: entry.windowSeconds,
          face: entry.refusedAt,
          code: entry.code,
          caller: entry.caller,
          count: entry.count,
        },
      }
    case 'admin_change':
      return {
        change: without({
          kind: entry.kind,
          name: entry.name,
          before_hash: entry.beforeHash ?? undefined,
          after_hash: entry.afterHash ?? undefined,
          reason_code: entry.reasonCode,
        }),
      }
    case 'outage':
      return {
        reason: entry.reason,
        refusals: {
          face: 'system',
          code: 'unavailable',
          caller: null,
          count: entry.count,
        },
      }
  }
}
