/** What the HTTP front needs for stopping: handed over with the rest, faked in test/fakes. */
import type { Freeze, FreezeScope, Revocation, StopKind } from '../domain/entry.ts'
import type { AgentId, ConsentId, CredentialId, PersonId, RevocationId } from '../domain/ids.ts'
import type { ProvenPerson, ProvenService } from '../domain/person.ts'
import type { Act, By, Presented } from '../domain/request.ts'

export interface FrontRevocation {
  withdraw(person: ProvenPerson, id: ConsentId, by: By): Promise<Revoked>
  retire(person: ProvenPerson, id: AgentId, by: By): Promise<Revoked>
  revoke(person: ProvenPerson, wanted: RevocationWanted, by: By): Promise<Stopped>
  /** What that would stop. Nothing is. */
  reach(person: ProvenPerson, target: RevocationWanted['target']): Promise<Reach>
  /** What is nobody's, or another's, is left alone. */
  revokeShown(client: ProvenClient, token: string, act: Act): Promise<void>
  find(person: ProvenPerson, id: RevocationId): Promise<Revoked>
  freeze(person: ProvenPerson, wanted: FreezeWanted, by: By): Promise<Frozen>
  lift(person: ProvenPerson, wanted: FreezeWanted, by: By): Promise<Frozen>
  frozen(person: ProvenPerson): Promise<readonly FreezeHeld[]>
  /** What is over for us and not yet for its target. */
  unconfirmed(
    person: ProvenPerson,
    page: { readonly limit: number; readonly before: CredentialId | null },
  ): Promise<{ readonly items: readonly Unconfirmed[]; readonly next: CredentialId | null }>
}

export interface Unconfirmed {
  readonly id: CredentialId
  readonly state: 'minting' | 'active' | 'revoke_pending'
  readonly reason: string | null
  readonly target: string
  readonly tool: string
  readonly sponsor: PersonId
  readonly agent: AgentId
  readonly consent: ConsentId
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** How often its target was asked in vain. */
  readonly attempts: number
  readonly nextTryAt: Date | null
}

export interface RevocationWanted {
  readonly target: { readonly kind: Exclude<StopKind, 'root' | 'session'>; readonly id: string }
  readonly cause: string
  readonly reason: string | null
}
export interface Revoked {
  readonly revocation: Revocation
  readonly confirmations: {
    readonly confirmed: number
    readonly pending: number
    readonly notSupported: number
  }
  readonly eventId: string
}
/** `isNew`: it was not stopped before. `isRepeat`: the key has done this before. */
interface Once {
  readonly isNew: boolean
  readonly isRepeat: boolean
}
export interface Stopped extends Revoked, Once {}

export interface Reach {
  readonly counts: Readonly<Record<string, number>>
  readonly reached: readonly {
    readonly kind: string
    readonly id: string
    /** What it rests on. */
    readonly under: string | null
    readonly agent: AgentId
    readonly expiresAt: Date
  }[]
}

export interface FreezeWanted {
  readonly scope: FreezeScope
  readonly cause: string
  readonly reason: string
}
export interface FreezeHeld {
  readonly freeze: Freeze
  readonly eventId: string
}
export interface Frozen extends FreezeHeld, Once {}

export interface FrontClients {
  /** Who authenticates by the form: a service, or an agent, with or without the proof of a key. */
  client(form: ReadonlyMap<string, string>, presented: Presented): Promise<ProvenClient>
}
export type ProvenClient =
  | { readonly kind: 'service'; readonly service: ProvenService }
  | { readonly kind: 'agent'; readonly agent: AgentId; readonly act: Act }
