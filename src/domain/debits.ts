/** What a call takes, and from whose account. */
import { appliesTo, type Authority, type Bounded, quantityOf } from './authority.ts'
import {
  type Constraint,
  constraintKey,
  constraintType,
  isAsTight,
  isCumulative,
  meets,
} from './constraint.ts'
import type { Debit } from './decision.ts'

/** Whose running totals a call at depth 0 adds to. */
export interface Accounts {
  readonly consent: string
  /** What the consent states. */
  readonly granted: Authority
  /** `jti` of the acting session; `null` where nobody acts. */
  readonly session: string | null
  /** What the session may: `granted`, or narrower. */
  readonly effective: Authority
}

/**
 * What an admitted call takes, in the order in which it is taken: from the consent, then from the
 * session where that states a tighter total of its own; each by key, then type.
 */
export function debitsOf(accounts: Accounts, call: Bounded): readonly Debit[] {
  const { consent, granted, session, effective } = accounts
  const fromConsent = debitsFrom(consent, granted.constraints, call)
  if (session === null) return fromConsent
  return [...fromConsent, ...debitsFrom(session, tighterTotals(effective, granted), call)]
}

/** The running totals of an authority that what it rests on does not already keep. */
export function tighterTotals(authority: Authority, above: Authority): readonly Constraint[] {
  const kept = new Map(above.constraints.map((bound) => [constraintKey(bound), bound]))
  return authority.constraints.filter((bound) => {
    const same = kept.get(constraintKey(bound))
    return isCumulative(bound) && !(same !== undefined && isAsTight(same, bound))
  })
}

function debitsFrom(account: string, bounds: readonly Constraint[], call: Bounded): Debit[] {
  return bounds.toSorted(byKeyThenType).flatMap((bound) => {
    const type = constraintType(bound)
    if (type !== 'max_subtree' && type !== 'max_lifetime') return []
    if (!appliesTo(bound, call)) return []
    const amount = quantityOf(bound, call)
    if (typeof amount !== 'number' || !meets(bound, amount)) {
      throw new TypeError('a debit of a call that is not admitted')
    }
    return [{ account, key: bound.key, type, amount }]
  })
}

function byKeyThenType(one: Constraint, other: Constraint): number {
  return compare(one.key, other.key) || compare(constraintType(one), constraintType(other))
}

const compare = (one: string, other: string) => (one < other ? -1 : one > other ? 1 : 0)
