/** A person's yes or no to exactly one call. */
import type { AgentId, ApprovalId, ConsentId, DecisionId, PersonId } from './ids.ts'
import type { JsonObject } from './json.ts'

export type ApprovalStatus = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled' | 'failed'

/** The demand of the rules that asked, all of them together. */
export interface Asked {
  /** Rule ids, as shown to the approver. */
  readonly rules: readonly string[]
  /** Groups, or `sponsor`: a person must be in each. */
  readonly of: readonly string[]
  readonly level: 'L2' | 'L3'
  readonly withinSeconds: number
}

export interface Approval {
  readonly id: ApprovalId
  readonly status: ApprovalStatus
  /** SHA-256 (base64url) of the exact call, path and tool version: what is said yes to. */
  readonly bindingHash: string
  readonly asked: Asked
  readonly agent: AgentId
  readonly sponsor: PersonId
  readonly consent: ConsentId
  readonly decision: DecisionId
  /** Exactly what the approver is shown: call, facts, grant, path. */
  readonly shown: JsonObject
  readonly justification: string | null
  readonly createdAt: Date
  readonly expiresAt: Date
  readonly approvedUntil: Date | null
  readonly approver: PersonId | null
  readonly consumedBy: DecisionId | null
}

/** What a decision needs to know of a yes. */
export interface Yes {
  readonly id: ApprovalId
  readonly bindingHash: string
  /** What was said yes to; if the rules now demand more, it does not lift them. */
  readonly asked: Asked
  readonly approvedUntil: Date
}
