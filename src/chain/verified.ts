/** What goes into the verification of a chain, and what comes out. Nothing else has a part in it. */
import type { ChainAuthority } from '../domain/authority.ts'
import type { Digest } from '../domain/digest.ts'
import type { ConsentId, InstanceId, PersonId } from '../domain/ids.ts'
import type { RootKeys } from './keys.ts'
import type { ChainToken } from './token.ts'

/** A chain, and what it is held against. What is optional and absent is a check that is not made. */
export interface Verifying {
  /** Compact tokens, root first, leaf last. Leading ancestors that are known here may be left out, */
  readonly tokens: readonly string[]
  /** and are then handed in, root first: whatever `parentNeeded` and their own parents name. */
  readonly ancestors?: readonly string[]
  /** The broker's issuer: roots are by `<issuer>/roots`, every token is for `<issuer>`. */
  readonly issuer: string
  /** Public keys of roots by `kid`. */
  readonly rootKeys: RootKeys
  readonly now: Date
  /** The vocabulary. */
  readonly purposes?: Pick<ReadonlySet<string>, 'has'>
  /** The agents that may receive a hop here: active, and admitted by the consent. */
  readonly delegates?: Pick<ReadonlySet<string>, 'has'>
  /** Who shows the chain: the agent that authenticated, and the key it proved to hold. */
  readonly presenter?: Presenter
  /** Asked with `null` for the consent and its sponsor first, then with each token, root first. */
  readonly standing?: (token: ChainToken | null) => Standing
  /** What the draft asks: a child states each of its parent's constraints. */
  readonly repeatConstraints?: boolean
}

export interface Presenter {
  readonly clientId: string
  readonly jkt: string
}
/** `unknown` is for a state that could not be read; nothing good follows from it. */
export type Standing = 'good' | 'revoked' | 'unknown'

/** A token whose whole ancestry was found in order, and what is left at it. */
export interface VerifiedHop {
  readonly token: ChainToken
  readonly depth: number
  readonly clientId: ChainToken['clientId']
  readonly jkt: Digest
  readonly tokenHash: Digest
  readonly purpose: string
  /** Unix seconds; `nbf` its own or inherited. */
  readonly exp: number
  readonly nbf: number | null
  /** What is left after every ancestor. */
  readonly effective: ChainAuthority
}

export interface VerifiedChain {
  readonly ok: true
  /** The accountable human: `sub` of every token. */
  readonly sponsor: PersonId
  readonly consentId: ConsentId
  /** The instance that the root was issued to. */
  readonly instanceId: InstanceId
  /** Root first; the last one is the leaf. */
  readonly hops: readonly [VerifiedHop, ...VerifiedHop[]]
}
