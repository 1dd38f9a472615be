/** What a call takes, and from whose account. */
import type { Account } from './accounts.ts'
import { appliesTo, type Bounded, quantityOf } from './authority.ts'
import { type Constraint, constraintType, meets } from './constraint.ts'
import type { Debit } from './decision.ts'

/** What an admitted call takes, in the order in which it is taken: each account by key, then type. */
export function debitsOf(accounts: readonly Account[], call: Bounded): readonly Debit[] {
  return accounts.flatMap(({ id, bounds }) => debitsFrom(id, bounds, call))
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
