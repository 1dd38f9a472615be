/** All that was found of a chain, before it gets its names on the wire. */
import type { ChainAuthority } from '../domain/authority.ts'
import type { Consent } from '../domain/consent.ts'
import type { BudgetState } from '../domain/decision.ts'
import type { InstanceId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Evidence, Verification } from './reading-checks.ts'
import type { Done } from './reading-counts.ts'
import type { ApprovalRow, HopRow, Place, RootRow } from './reading-rows.ts'

export interface ReadConsent {
  readonly consent: Consent
  readonly consentJwt: string
  readonly eventId: string
}
export interface ReadEntry {
  readonly index: number
  readonly record: JsonObject
  readonly opened: JsonObject | null
}

export interface Found {
  readonly id: string
  readonly place: Place
  readonly given: ReadConsent
  readonly granted: ReadEntry | null
  readonly decided: ReadEntry | null
  /** `null` where nothing was handed on. */
  readonly root: RootRow | null
  /** Below the root, the leaf last. */
  readonly hops: readonly HopRow[]
  /** `null` where the id is of something that was done, and not of a place to hand on from. */
  readonly below: { readonly hops: readonly HopRow[]; readonly isAll: boolean } | null
  /** What is left at a token, by its hash. */
  readonly left: ReadonlyMap<string, ChainAuthority>
  readonly names: {
    readonly names: ReadonlyMap<string, string>
    /** By the key that they hold. */
    readonly instances: ReadonlyMap<string, InstanceId>
  }
  readonly approvals: readonly ApprovalRow[]
  readonly done: (node: string) => Done
  readonly totals: readonly BudgetState[]
  readonly evidence: Evidence
  readonly now: Verification
  /** As of when it was decided; `null` where no token was handed on, or nothing asked. */
  readonly then: Verification | null
  /** Root first; `null` unless asked for. */
  readonly tokens: readonly (string | null)[] | null
}
