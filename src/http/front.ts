/** What the HTTP front needs of the house: handed over by server.ts, faked in test/fakes. */
import type { Agent, Workload } from '../domain/agent.ts'
import type { Approval } from '../domain/approval.ts'
import type { Authority, ChainAuthority } from '../domain/authority.ts'
import type { Delegated, Standing } from '../domain/chain.ts'
import type { Consent, Terms } from '../domain/consent.ts'
import type { BudgetState } from '../domain/decision.ts'
import type {
  AgentId,
  ApprovalId,
  ConsentId,
  DecisionId,
  DelegationId,
  InstanceId,
  PersonId,
} from '../domain/ids.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Meter } from '../domain/meter.ts'
import type { ProvenPerson, ProvenService } from '../domain/person.ts'
import type { Broker, Decider } from '../domain/ports.ts'
import type { Secret } from '../domain/secret.ts'
import type { Act, By, Face, Presented, RequestKey } from '../domain/request.ts'
import type { FrontCredentials, FrontProxy } from './front-delivering.ts'
import type { FrontClients, FrontRevocation } from './front-stopping.ts'
import type { Limits } from './limits.ts'
import type { Running } from './running.ts'

/** What every process has, whichever routes it serves. */
export interface BaseFront {
  /** An origin. Every address we tell is built from it, never from what a caller sent. */
  readonly issuer: string
  readonly identity: Pick<FrontIdentity, 'currentNonce'>
  readonly health: { ready(): Promise<Readiness> }
  /** Text exposition, for /metrics. */
  metrics(): string | Promise<string>
  readonly meter: Meter
  readonly log: Log
  /** Work that goes on after its caller has left: a drain waits for it. */
  readonly running: Running
  /** A call was refused before any decision; `caller` where somebody had been recognised. */
  refused(face: Face, code: string, caller: string | null): void
  readonly limits: Limits
}

/** The delivering side: whoever answers with a secret has held it, so it faces agents itself. */
export interface CdpFront extends BaseFront {
  readonly broker: Broker
  readonly identity: Pick<
    FrontIdentity,
    'authenticate' | 'actOf' | 'requestKey' | 'service' | 'currentNonce'
  >
  readonly credentials: FrontCredentials
  readonly proxy: FrontProxy
}

/** The deciding side, and all that people register. */
export interface PdpFront extends BaseFront {
  readonly decider: Pick<Decider, 'explain' | 'evaluate'> & {
    /** What this consent of this agent stands on; throws `not_found` where there is no such pair. */
    standing(consent: ConsentId, agent: AgentId): Promise<Standing>
  }
  readonly identity: FrontIdentity
  readonly agents: FrontAgents
  readonly consents: FrontConsents
  readonly delegations: FrontDelegations
  readonly approvals: FrontApprovals
  readonly revocation: FrontRevocation
  readonly decisions: FrontDecisions
  readonly chains: FrontChains
  readonly ledger: FrontLedger
  /** The claims of a live credential of this service's audience; `null` for everything else. */
  introspect(service: ProvenService, token: string): Promise<JsonObject | null>
  readonly metadata: Metadata
  /** openapi.yaml, as it is. */
  readonly contract: string
}

export interface Front extends CdpFront, PdpFront {
  readonly identity: FrontIdentity
}

/** `isRepeat`: the key has done this before, and it was not done again. */
export interface Repeatable {
  readonly isRepeat: boolean
}
export interface Page<Id extends string> {
  readonly limit: number
  readonly before: Id | null
}
/** Newest first; `next` is the `before` that goes on. */
export interface Listed<Item, Id extends string> {
  readonly items: readonly Item[]
  readonly next: Id | null
}

export interface FrontIdentity extends FrontClients {
  /** Session and proof, over these very bytes. The proof is used up. */
  authenticate(presented: Presented): Promise<ProvenInstance>
  actOf(instance: ProvenInstance, presented: Presented): Act
  requestKey(instance: ProvenInstance, presented: Presented): RequestKey | null
  person(presented: Presented): Promise<ProvenPerson>
  /** By its Bearer assertion; at /oauth/* by the form's `client_assertion`, `null` if it has none. */
  service(presented: Presented, assertion?: string | null): Promise<ProvenService>
  openSession(form: ReadonlyMap<string, string>, presented: Presented): Promise<Opened>
  currentNonce(): string
}
export interface Opened {
  readonly accessToken: Secret
  readonly expiresInSeconds: number
  readonly authority: Authority
  readonly consent: ConsentId
  readonly instance: InstanceId
  /** The hop that it rests on; `null` straight under a consent. */
  readonly delegation: DelegationId | null
  /** `null` unless asked for, and allowed. */
  readonly root: { readonly token: Secret; readonly expiresInSeconds: number } | null
}

export interface FrontDelegations {
  /** `isReplay`: the key has done this before. `isRepeat`: the hop was on record when it first did. */
  register(
    instance: ProvenInstance,
    chain: string,
    by: { readonly act: Act; readonly key: RequestKey | null },
  ): Promise<Delegation & { readonly isReplay: boolean; readonly isRepeat: boolean }>
  list(
    instance: ProvenInstance,
    page: Page<DelegationId>,
  ): Promise<Listed<Delegation, DelegationId>>
  find(
    instance: ProvenInstance,
    id: DelegationId,
  ): Promise<Delegation & { readonly budgets: readonly BudgetState[] }>
  /** For a gateway: what the hop rests on; throws `not_found` where this agent did not receive it. */
  received(
    id: DelegationId,
    agent: AgentId,
  ): Promise<{ readonly consent: ConsentId; readonly sponsor: PersonId } | null>
}
export interface Delegation extends Pick<Delegated, 'id' | 'hops'> {
  readonly effective: ChainAuthority
  readonly consent: ConsentId
  readonly expiresAt: Date
  readonly status: 'active' | 'expired' | 'revoked'
  readonly eventId: string
}

export interface FrontAgents {
  register(person: ProvenPerson, wanted: NewAgent, by: By): Promise<Registered & Repeatable>
  list(person: ProvenPerson, page: Page<AgentId>): Promise<Listed<Registered, AgentId>>
  find(person: ProvenPerson, id: AgentId): Promise<Registered>
}
export interface NewAgent {
  readonly name: string
  readonly workload: Workload
  readonly description: string | null
}
export interface Registered {
  readonly agent: Agent
  readonly eventId: string
}

export interface FrontConsents {
  give(person: ProvenPerson, terms: Terms, by: By): Promise<Given & Repeatable>
  list(person: ProvenPerson, which: ConsentPage): Promise<Listed<Given, ConsentId>>
  find(person: ProvenPerson, id: ConsentId): Promise<Given>
}
export interface ConsentPage extends Page<ConsentId> {
  readonly agent: AgentId | null
  readonly status: Consent['status'] | null
}
export interface Given {
  readonly consent: Consent
  readonly consentJwt: string
  readonly eventId: string
}

export interface FrontApprovals {
  list(person: ProvenPerson, which: ApprovalPage): Promise<Listed<Approval, ApprovalId>>
  find(person: ProvenPerson, id: ApprovalId): Promise<Approval>
  findForAgent(instance: ProvenInstance, id: ApprovalId): Promise<Approval>
  cancel(instance: ProvenInstance, id: ApprovalId, act: Act): Promise<Approval>
  decide(person: ProvenPerson, id: ApprovalId, verdict: Verdict, by: By): Promise<Decided>
}
export interface ApprovalPage extends Page<ApprovalId> {
  readonly status: Approval['status'] | null
}
export interface Verdict {
  readonly decision: 'approve' | 'deny'
  readonly bindingHash: string
  readonly reason: string | null
  readonly approvedUntil: Date | null
}
export interface Decided extends Repeatable {
  readonly approval: Approval
  /** `approval+jwt` */
  readonly evidence: string
  readonly eventId: string
}

export interface FrontDecisions {
  /** All of a decision's record, its members named as on the wire; throws `not_found`. */
  find(id: DecisionId, by: ProvenPerson | ProvenInstance): Promise<JsonObject>
}

export interface FrontChains {
  /** By the id of anything that rests on one, its members named as on the wire; throws `not_found`. */
  find(id: string, by: ProvenPerson, of: { readonly tokens: boolean }): Promise<JsonObject>
}

export interface FrontLedger {
  entries(person: ProvenPerson, which: EntryRange): Promise<Entries>
  /** A signed note; throws `not_yet_checkpointed` before the first. */
  checkpoint(): Promise<string>
  inclusion(of: LeafWanted): Promise<Inclusion>
  consistency(from: number, to: number): Promise<Consistency>
}
export interface EntryRange {
  readonly start: number
  readonly limit: number
  readonly eventType: string | null
  readonly subject: string | null
}
export interface Entries {
  readonly size: number
  readonly items: readonly {
    readonly index: number
    /** base64 */
    readonly leafHash: string
    readonly record: JsonObject
    readonly opened: JsonObject | null
  }[]
  readonly nextStart: number | null
}
export interface LeafWanted {
  readonly leaf: { readonly index: number } | { readonly eventId: string }
  /** `null`: the newest checkpoint. */
  readonly size: number | null
}
export interface Inclusion {
  readonly index: number
  readonly size: number
  /** base64, as are all hashes of the log */
  readonly leafHash: string
  readonly hashes: readonly string[]
  readonly checkpoint: string
}
export interface Consistency {
  readonly from: number
  readonly to: number
  readonly hashes: readonly string[]
  readonly checkpoint: string
}

export interface Metadata {
  readonly version: string
  readonly dpopNonce: 'required' | 'optional'
  /** The longest that a root lives. */
  readonly rootSecondsMax: number
  /** RFC 9116; `null` where nobody is named. */
  readonly securityTxt: () => string | null
  readonly ledger: { readonly origin: string; readonly vkey: string }
  /** JWKs with public members only. */
  readonly jwks: Readonly<Record<KeySetName, () => readonly JsonObject[]>>
}
export const KEY_SETS = ['sessions', 'roots', 'decisions', 'credentials', 'evidence'] as const
export type KeySetName = (typeof KEY_SETS)[number]

export interface Readiness {
  /** `null`: everything is there. */
  readonly failing: string | null
  /** There only if there are any. */
  readonly warnings?: readonly Warning[]
}
/** `runtime`: this Node lacks known security fixes. `peer`: the delivering process has not been heard of. */
export type Warning = 'runtime' | 'peer'

/** As pino has it. What is handed over is a fixed set of fields, never a header or a body. */
export interface Log {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}
