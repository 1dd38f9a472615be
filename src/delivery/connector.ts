/** The port that a connector fills: what it promises in MUST, what it can do as data. */
import type { z } from 'zod'
import type { ConnectorName, Intent, Issued } from '../domain/lease.ts'

/**
 * Makes credentials for one kind of target. `issue` may narrow the grant but MUST NOT widen it, and
 * MUST make what it makes under the intent's `downstreamName`; it MUST throw `NoEffect` when, and
 * only when, nothing was made. `revoke` knows nothing but a name: it MUST resolve only when what had
 * that name can do nothing any more, and MUST be safe to call twice, after a failed `issue`, while
 * one hangs, and when nothing was ever made; where nobody answered it throws `Silent`. Both MUST stop
 * when the signal says so.
 */
export interface Connector<Settings, Permissions> {
  readonly name: ConnectorName
  /** The agent never holds the credential, or holds a short-lived one. */
  readonly model: 'proxy' | 'mint'
  /** What `revoke` can promise. `expiry`: the credential outlives its revocation. */
  readonly revocation: 'immediate' | 'expiry'
  /** The same, where it depends on how a target is set up. */
  readonly revocationAt?: (settings: Settings) => 'immediate' | 'expiry'
  /** `enforced`: nothing is done with it that we do not see, so that unspent means unused. */
  readonly spending: 'enforced' | 'unseen'
  readonly senderConstraint: Intent['senderConstraint']
  /** Whether anything of it may be at the target, where it has to be ended. */
  readonly isAtTarget: boolean
  readonly ttlSecondsMin: number
  readonly settings: z.ZodType<Settings>
  readonly permissions: z.ZodType<Permissions>
  /** What is wrong with these targets beside each other, though not with any alone; `null`: nothing. */
  clashOf?(targets: ReadonlyMap<string, Settings>): string | null
  /** Whose redemption and introspection it takes part in; `null`: nobody's. */
  audienceOf(settings: Settings): string | null
  issue(
    intent: Intent,
    to: At<Settings>,
    permissions: Permissions,
    signal: AbortSignal,
  ): Promise<Issued>
  /** @param endsAt when its lease is over; left out where nobody remembers one */
  revoke(
    downstreamName: string,
    at: At<Settings>,
    signal: AbortSignal,
    endsAt?: Date,
  ): Promise<Revoked>
  /** Names that we gave and that still exist there, with or without a lease of ours. */
  listOwn(at: At<Settings>, signal: AbortSignal): Promise<string[]>
}

/** A target: its name, which its secret is kept under, and its settings. */
export interface At<Settings> {
  readonly name: string
  /** The name of the lease that is worked for, which its secret is opened for; `null`: of none. */
  readonly lease: string | null
  readonly settings: Settings
}

/** `found`: something had that name until now, or nobody can tell. `false` proves that nothing had. */
export interface Revoked {
  readonly found: boolean
}

/** `issue` made nothing, provably. Any other error of it may hide a credential. */
export class NoEffect extends Error {
  override readonly name = 'NoEffect'
  /** Nobody answered in time, rather than refused. */
  readonly isTimeout: boolean
  constructor(message: string, options: ErrorOptions & { isTimeout?: boolean } = {}) {
    super(message, options)
    this.isTimeout = options.isTimeout ?? false
  }
}

/** Nobody answered: no connection, or no time left. One finds out for all that is due there. */
export class Silent extends Error {
  override readonly name = 'Silent'
}

/** It may still be used, and will not be after that time: there is nothing to do but to ask again then. */
export class NotYet extends Error {
  override readonly name = 'NotYet'
  readonly waitMs: number
  constructor(waitMs: number) {
    super('it has not ended yet')
    this.waitMs = waitMs
  }
}

/** It cannot be used any more, and something of it remains that only an operator can remove. */
export class PartlyRevoked extends Error {
  override readonly name = 'PartlyRevoked'
}
