/** Why a chain does not hold: the first step that failed, and at which depth. */

export const PARSE_OUTCOMES = [
  'malformed',
  'non_canonical',
  'duplicate_member',
  'non_finite',
  'unknown_constraint',
] as const

/** In the order of the steps that find them. */
export const OUTCOMES = [
  ...PARSE_OUTCOMES,
  'parent_unknown',
  'signature_invalid',
  'par_hash_mismatch',
  'depth_invalid',
  'principal_altered',
  'holder_repeated',
  'not_narrower',
  'unknown_purpose',
  'delegate_not_allowed',
  'expired',
  'holder_binding_failed',
  'revoked',
  'status_unknown',
  'audience_mismatch',
] as const

export type ParseOutcome = (typeof PARSE_OUTCOMES)[number]
export type Outcome = (typeof OUTCOMES)[number]

export interface Refusal {
  readonly ok: false
  readonly outcome: Outcome
  /** Depth of the offending token; `null`: the consent or its sponsor, or the chain as a whole. */
  readonly hop: number | null
  /** What is too wide or out of its time: `scopes[1]`, `constraints[args.a,max]`, `exp`. */
  readonly field?: string
  /** A sentence for whoever made the token. It repeats nothing that stands in one. */
  readonly detail: string
  /** More than 8 tokens or 64 KiB: refused before anything was read. */
  readonly isTooLarge?: true
}

export function isParseOutcome(outcome: Outcome): outcome is ParseOutcome {
  return PARSE_OUTCOMES.some((name) => name === outcome)
}

export function refusal(
  outcome: Outcome,
  hop: number | null,
  detail: string,
  more: Pick<Refusal, 'field' | 'isTooLarge'> = {},
): Refusal {
  return { ok: false, outcome, hop, detail, ...more }
}
