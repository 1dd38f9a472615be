/** What goes on record: one shape an event. ledger/records.ts writes each as its leaf. */
import type { Agent } from './agent.ts'
import type { Approval } from './approval.ts'
import type { Path } from './chain.ts'
import type { Consent } from './consent.ts'
import type { Settled, Spent } from './decision.ts'
import type { ConsentId, CredentialId, DecisionId, EventId, PersonId, RevocationId } from './ids.ts'
import type { JsonObject } from './json.ts'
import type { EndReason, Intent } from './lease.ts'
import type { Act, Face } from './request.ts'

/** What identifies or quotes people: kept beside the log, encrypted; the leaf holds a commitment. */
export interface Sealed {
  /** `person`, `justification`, `reason`, `origin`, `shown`. */
  readonly fields: readonly string[]
  readonly payload: JsonObject
}

/** One shape for each type named, so that a type picks its shape. */
type Of<Type extends string> = Type extends string ? Event<Type> : never
interface Event<Type extends string> {
  readonly type: Type
  readonly act: Act
  readonly sealed?: Sealed
  /** Made beforehand where a row written in the same transaction names its event. */
  readonly eventId?: EventId
}

export type LedgerEntry =
  | (Of<'log_opened'> & { readonly name: string })
  | (Of<'agent_registered' | 'agent_retired'> & { readonly agent: Agent })
  | (Of<'consent_granted'> & {
      readonly consent: Consent
      readonly evidenceHash: string
    })
  | (Of<'session_issued' | 'root_issued' | 'delegation_registered'> & {
      readonly sponsor: PersonId
      readonly consent: ConsentId
      /** To the one that was issued or registered. */
      readonly path: Path
    })
  | (Of<'decision' | 'explained'> & { readonly settled: Settled })
  | (Of<'approval_requested'> & {
      readonly approval: Approval
      readonly settled: Settled
    })
  | (Of<'approval_decided'> & {
      readonly approval: Approval
      /** `null` for an expiry or a cancellation. */
      readonly decided: 'approve' | 'deny' | null
      readonly evidenceHash: string | null
    })
  | (Of<'issuance'> & {
      readonly intent: Intent
      readonly kind: string
      readonly expiresAt: Date
    })
  | (Of<'issuance_failed'> & {
      readonly intent: Intent
      readonly reason: FailReason
      readonly refunded: readonly Spent[]
    })
  | (Of<'issuance_failed'> & {
      readonly unredeemed: Unredeemed
      readonly refunded: readonly Spent[]
    })
  | (Of<'usage'> & { readonly intent: Intent; readonly source: 'redemption' })
  | (Of<'usage'> & { readonly intent: Intent; readonly source: 'proxy'; readonly call: Proxied })
  | (Of<'credential_ended'> & {
      readonly credential: CredentialId
      readonly reason: EndReason
      readonly effect: Effect
      readonly refunded: readonly Spent[]
    })
  | (Of<'revocation'> & { readonly revocation: Revocation })
  | (Of<'freeze'> & { readonly freeze: Freeze })
  | (Of<'canary_tripped'> & {
      /** What was done about it, at once. */
      readonly revocation: Revocation
      /** The decision that refused it. */
      readonly causeEvent: EventId
    })
  | (Of<'canary_tripped'> & {
      /** The one whose holder is frozen. */
      readonly credential: CredentialId
      readonly freeze: Freeze
    })
  | (Of<'remediation'> & {
      readonly revocation: RevocationId | null
      readonly credential: CredentialId
      readonly cause: string
      readonly outcome: 'confirmed' | 'refused'
      readonly attempts: number
      readonly confirmedDeadAt: Date | null
      readonly causeEvent: string | null
    })
  | (Of<'refusals'> & {
      readonly windowStart: Date
      readonly windowSeconds: number
      readonly refusedAt: Face
      readonly code: string
      readonly caller: string | null
      readonly count: number
    })
  | (Of<'admin_change'> & {
      readonly kind: 'policy_set' | 'key' | 'config'
      readonly name: string
      readonly beforeHash: string | null
      readonly afterHash: string | null
      readonly reasonCode: string
    })
  | (Of<'outage'> & { readonly reason: string; readonly count: number })

export type FailReason =
  'downstream_failed' | 'downstream_timeout' | 'aborted' | 'not_recorded' | 'found_after_crash'

/** A call that we made: first that it is spent and about to be sent, then what came of it. */
export interface Proxied {
  /** `none`: nothing of it was sent. */
  readonly observed: 'occurred' | 'none' | 'unknown'
  /** `2xx`; `null` where nobody answered. */
  readonly upstream: string | null
  /**
   * Why the answer did not reach its caller whole: `secret_reflected` if it had the secret in it. Or
   * `login_left`: something that was made for the call could not be ended.
   */
  readonly reason: string | null
}

/** A decision that nobody redeemed in its time. */
export interface Unredeemed {
  readonly decision: DecisionId
  readonly credential: CredentialId
  /** What the decision's own entry says. */
  readonly decided: JsonObject
}

export interface Effect {
  readonly observed: 'occurred' | 'none' | 'unknown'
  readonly source: 'redemption' | 'proxy' | 'none'
  readonly agreement: 'agree' | 'not_exercised' | 'indeterminate'
}

export interface Revocation {
  readonly id: RevocationId
  readonly target: {
    readonly kind: StopKind
    /** A session and a root go by the hash of their token, as the log names what was acted under. */
    readonly id: string
  }
  readonly cause: string
  readonly at: Date
  /** What it stopped, as counted when it was recorded. */
  readonly counts: Readonly<Record<string, number>>
}

/** What can be stopped for good. Of a root and a session only their holder, and the target, can. */
export type StopKind =
  'credential' | 'delegation' | 'consent' | 'instance' | 'agent' | 'sponsor' | 'root' | 'session'

/** What is held back, until it is lifted. */
export interface Freeze {
  readonly id: RevocationId
  readonly scope: FreezeScope
  readonly cause: string
  readonly since: Date
  readonly liftedAt: Date | null
}
export interface FreezeScope {
  readonly kind: 'everything' | 'tool' | 'agent' | 'sponsor'
  /** A tool's name, `agt_`, `spn_`; `null` for everything. */
  readonly id: string | null
}
