/** Answers, and what is written down of them. */
import type { Asked } from './approval.ts'
import type { Chain } from './chain.ts'
import type { ApprovalId, CredentialId, DecisionId } from './ids.ts'
import type { JsonObject } from './json.ts'
import type { Principal } from './question.ts'
import type { SenderConstraint, ToolCall } from './tool.ts'

/** One policy, as far as people and records are concerned. */
export interface Rule {
  /** Its `@id`. */
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  /** Its `@say`: the only text of a policy that leaves. */
  readonly says: string | null
  /** Its `@ask`: who may lift it; `null` for a rule that nobody can. */
  readonly asks: string | null
  readonly how: 'session' | 'passkey'
  readonly withinSeconds: number
}

/** Each rule, for each principal it was evaluated for. */
export interface Verdict {
  readonly rule: Rule
  readonly verdict: 'satisfied' | 'not_satisfied' | 'error'
  readonly hop: number | null
}

/** Who was refused. `consent` where no principal but the consent itself is the cause. */
export interface StoppedBy {
  readonly hop: number | null
  readonly kind: 'sponsor' | 'agent' | 'consent'
  readonly id: string
}

/** The strictest answer over all principals. `none`: it could not be evaluated, and refuses. */
export type Answer =
  | { readonly kind: 'allow'; readonly rules: readonly Rule[] }
  | {
      readonly kind: 'ask'
      readonly rules: readonly Rule[]
      readonly asked: Asked
      readonly stoppedBy: StoppedBy
    }
  | Deny
  | {
      readonly kind: 'none'
      readonly code: 'policy_error'
      readonly rules: readonly Rule[]
      readonly stoppedBy: StoppedBy
      readonly input: 'policy' | 'facts'
      readonly isCanary?: true
    }

export interface Deny {
  readonly kind: 'deny'
  readonly code:
    'access_denied' | 'outside_authority' | 'budget_exhausted' | 'chain_invalid' | 'frozen'
  readonly rules: readonly Rule[]
  readonly stoppedBy: StoppedBy
  /** `no_permit`, `forbid`. */
  readonly reason?: string
  /** Chain outcomes: `scope_not_granted`, `not_narrower`, `ceiling_exceeded`, `revoked`, `expired`. */
  readonly outcome?: string
  readonly field?: string
  readonly budget?: BudgetState
  /** What stopped it, in a sentence: rule and hop, never a value. */
  readonly detail: string
  /** A canary was asked for. Ours alone: no face tells it, nor does the record of the decision. */
  readonly isCanary?: true
}

/** What an allow gives at the target: built from the tool's declaration, arguments as values. */
export interface Grant {
  readonly target: string
  readonly connector: string
  readonly permissions: JsonObject
  readonly ttlSeconds: number
  readonly senderConstraint: SenderConstraint
}

/** What an allow spends, from which account. */
export interface Debit {
  /** `con_…`, or the `jti` of a session that has a tighter bound of its own. */
  readonly account: string
  readonly key: string
  readonly type: 'max_subtree' | 'max_lifetime'
  readonly amount: number
}

export interface BudgetState {
  readonly account: string
  readonly key: string
  readonly type: 'max_subtree' | 'max_lifetime'
  readonly limit: number
  readonly used: number
  readonly asked: number
}

/** What a debit found, and what it left; `null`: no such account, and nothing made. */
export interface Debited {
  readonly bound: number | null
  readonly used: number | null
  readonly usedAfter: number | null
}

/** A debit as made. */
export interface Spent extends Debit {
  readonly limit: number
  readonly usedAfter: number
}

/** Cedar itself, or rules compiled from its policies. Whatever is made again is made by Cedar. */
export type Evaluator = 'cedar-wasm' | 'compiled'

/** An answer with all that it was made from, so that it can be made again. */
export interface Decision {
  readonly id: DecisionId
  readonly answer: Answer
  readonly verdicts: readonly Verdict[]
  readonly principals: readonly (Principal & {
    readonly answer: Answer['kind']
  })[]
  readonly level: 'L1' | 'L2' | 'L3' | null
  readonly chain: Chain
  readonly call: ToolCall
  readonly purpose: string
  /** After every cap: what a lease of this call would last. */
  readonly ttlSeconds: number
  /** There only on an allow. */
  readonly grant: Grant | null
  readonly debits: readonly Debit[]
  readonly approval: ApprovalId | null
  readonly credential: CredentialId
  readonly requestHash: string
  readonly bindingHash: string
  readonly policySetHash: string
  readonly policyEpoch: number
  readonly schemaHash: string
  readonly evaluator: Evaluator
  readonly contextHash: string
  /** The exact input of the evaluator, kept sealed for replay. */
  readonly snapshot: JsonObject
}

/** A decision as its transaction left it. */
export interface Settled {
  readonly decision: Decision
  readonly revocationEpoch: number
  readonly spent: readonly Spent[]
  /** The approval that an ask opened or joined. */
  readonly asked: { readonly id: ApprovalId; readonly expiresAt: Date } | null
}

/** A decision that a stop or an empty account turned into a denial while it was being recorded. */
export function stopped(decision: Decision, answer: Deny): Decision {
  return {
    ...decision,
    answer,
    level: null,
    grant: null,
    debits: [],
    approval: null,
  }
}

declare const signed: unique symbol
/** A `pdp-decision+jwt`. Made in policy/sign.ts, from what is on record, and nowhere else. */
export type SignedDecision = string & { readonly [signed]: true }

/** What a decider hands over. */
export type Ruling =
  | { readonly kind: 'allow'; readonly signed: SignedDecision }
  | {
      readonly kind: 'ask'
      readonly decision: DecisionId
      readonly argsHash: string
      readonly level: 'L2' | 'L3'
      readonly approval: { readonly id: ApprovalId; readonly expiresAt: Date }
      readonly rules: readonly Rule[]
      readonly isRepeat: boolean
    }
  | {
      readonly kind: 'deny'
      readonly decision: DecisionId
      readonly answer: Extract<Answer, { kind: 'deny' | 'none' }>
      readonly isRepeat: boolean
    }
  /** Asked before, and allowed then: the credential has this id. Its secret is not told again. */
  | {
      readonly kind: 'repeat'
      readonly credential: CredentialId
      readonly decision: DecisionId
    }
