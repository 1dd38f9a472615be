/** The parts, as the story of one request needs them: built in server.ts, faked in test/fakes. */
import type { Approval, Yes } from './approval.ts'
import type { Chain, Delegated, Standing } from './chain.ts'
import type { Debited, Decision, Deny, Ruling, Settled, SignedDecision, Spent } from './decision.ts'
import type { LedgerEntry } from './entry.ts'
import type {
  AgentId,
  ApprovalId,
  ConsentId,
  CredentialId,
  DecisionId,
  DelegationId,
} from './ids.ts'
import type { ProvenInstance } from './instance.ts'
import type { JsonObject } from './json.ts'
import type { Intent, Issued, Lease } from './lease.ts'
import type { Question } from './question.ts'
import type { Recorded } from './recorded.ts'
import type { Act, CredentialRequest, Presented, ReadRequest, RequestKey } from './request.ts'
import type { ToolCall } from './tool.ts'
import type { Tx } from './tx.ts'

export interface Decider {
  decide(presented: Presented, read: ReadRequest): Promise<Ruling>
  explain(presented: Presented, read: ReadRequest): Promise<Settled>
  /** For a gateway that has named itself: the same evaluation about another's agent. */
  evaluate(act: Act, about: AskedAbout): Promise<Settled>
}
export interface AskedAbout {
  readonly agent: AgentId
  readonly consent: ConsentId
  /** The hop that the agent received; `null`: it is the consenting agent itself. */
  readonly delegation: DelegationId | null
  readonly request: CredentialRequest
}
export interface Broker {
  requestCredential(presented: Presented, read: ReadRequest): Promise<Outcome>
}
export type Outcome =
  | Extract<Ruling, { kind: 'ask' | 'deny' }>
  | {
      readonly kind: 'issued'
      readonly lease: Lease
      readonly credential: Issued | null
    }

/** Of a session that was verified, whether or not its holder has proven to be that yet. */
export type OfSession = Pick<ProvenInstance, 'session'>

export interface Deciding {
  identity: {
    /** @param read what is looked up for that session while the proof is used up; over when this is */
    authenticateWith<Found>(
      presented: Presented,
      read: (of: OfSession) => Promise<Found>,
    ): Promise<{ instance: ProvenInstance; reading: Promise<Found> }>
    actOf(instance: ProvenInstance, presented: Presented): Act
    requestKey(instance: ProvenInstance, presented: Presented): RequestKey | null
  }
  consents: {
    behind(of: OfSession): Promise<Standing>
    standing(consent: ConsentId, agent: AgentId): Promise<Standing>
  }
  delegations: {
    /** The hop that a session rests on, with all that stands above it; `null` where it rests on none. */
    behind(of: OfSession): Promise<Delegated | null>
    /** The same for whoever asks about this agent; throws where it did not receive that hop. */
    received(id: DelegationId | null, agent: AgentId): Promise<Delegated | null>
  }
  approvals: {
    fitting(id: ApprovalId | undefined, chain: Chain, call: ToolCall): Promise<Yes | null>
    /** Uses up the yes that an allow rests on; throws when somebody else has used it. */
    spend(tx: Tx, decision: Decision): Promise<void>
    /** Throws as `spend` would; it stays unused. */
    checkUnused(tx: Tx, decision: Decision): Promise<void>
    openIfAsked(tx: Tx, decision: Decision, why: string | undefined): Promise<Opened | null>
  }
  pdp: {
    read(request: CredentialRequest): ToolCall
    decide(chain: Chain, question: Question): Promise<Decision>
    /** Throws `unavailable` where it could not be signed. */
    rule(recorded: Recorded<Settled>): Promise<Ruling>
  }
  /** Read inside the transaction: a stop acknowledged before it commits is obeyed. */
  revocation: {
    inForce(tx: Tx, decision: Decision): Promise<Holding>
    /** And debits what an allow spends, all of it or nothing, where nothing stops it. */
    debitInForce(tx: Tx, decision: Decision): Promise<Holding & { debited: readonly Debited[] }>
  }
  budgets: {
    /** What was spent, or why it could not be. */
    spentOf(decision: Decision, debited: readonly Debited[]): Deny | readonly Spent[]
    /** What a debit would be refused for, now. */
    short(tx: Tx, decision: Decision): Promise<Deny | null>
  }
  ledger: Ledger
}
export interface Holding {
  /** Why it does not hold any more; `null`: it holds. */
  readonly stop: Deny | null
  readonly epoch: number
}

/** `opened` is the approval when this call opened it, `null` when it joined one that was open. */
export type Opened = NonNullable<Settled['asked']> & {
  readonly opened: Approval | null
}

export interface Delivering {
  cdp: {
    /** Refuses what was stopped since it was signed: epochs are compared as the lease opens. */
    redeem(signed: SignedDecision, presented: Presented): Promise<Intent>
    mint(intent: Intent): Promise<Issued>
    activate(tx: Tx, intent: Intent, made: Issued): Promise<Lease>
    issuance(intent: Intent, made: Issued, presented: Presented): LedgerEntry
    /** Never throws: what cannot be taken back now, the sweeper takes back by its name. */
    takeBack(intent: Intent, cause: unknown): Promise<void>
    find(lease: CredentialId, decision: DecisionId): Promise<Lease>
  }
  ledger: Ledger
}

export interface Ledger {
  /** What was answered under this key, if anything was; throws when it was another request. */
  find(key: RequestKey | null): Promise<JsonObject | null>
  /**
   * Runs `work` in the transaction that appends its entries, and resolves when they are durable. If
   * `work` throws, or the ledger cannot commit, neither has happened.
   */
  record<T>(key: RequestKey | null, work: (tx: Tx) => Promise<Written<T>>): Promise<Recorded<T>>
}

export interface Written<T> {
  readonly entries: readonly LedgerEntry[]
  readonly value: T
  /** Kept under the key, told again when the key comes again; never a secret. */
  readonly answer: JsonObject | null
}
