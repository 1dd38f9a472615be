/** One run of an agent. */
import type { Model } from './agent.ts'
import type { Authority } from './authority.ts'
import type { AgentId, ConsentId, DelegationId, InstanceId, PersonId } from './ids.ts'

export interface Session {
  readonly agent: AgentId
  readonly instance: InstanceId
  readonly sponsor: PersonId
  readonly consent: ConsentId
  /** The hop that it rests on; `null` where the agent acts straight under its consent. */
  readonly delegation: {
    readonly id: DelegationId
    readonly depth: number
    readonly leaf: string
  } | null
  /** What the session may use: what it rests on, narrowed if the instance asked for less. */
  readonly authority: Authority
  readonly model: Model | null
  readonly jti: string
  readonly expiresAt: Date
  /** SHA-256 (base64url) of the session token's signing input. */
  readonly tokenHash: string
}

/**
 * One run of an agent, whose session and whose hold on the session's key this broker has itself
 * verified. The private field makes the type nominal: nothing parsed from a request passes for one.
 */
export class ProvenInstance {
  readonly session: Session
  readonly #jkt: string
  private constructor(session: Session, jkt: string) {
    this.session = session
    this.#jkt = jkt
  }
  /** A claim by the caller: I verified this. Made in identity/ and in tests, nowhere else. */
  static proven(session: Session, jkt: string): ProvenInstance {
    return new ProvenInstance(session, jkt)
  }
  /** RFC 7638 thumbprint of the key it proved it holds: what a credential is bound to. */
  get jkt(): string {
    return this.#jkt
  }
}
