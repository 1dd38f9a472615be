/** What may be spent, in uses or amounts: one account for each place that states a total. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { type Chain, leafOf } from '../domain/chain.ts'
import { type Constraint, constraintType, isCumulative } from '../domain/constraint.ts'
import type {
  BudgetState,
  Debit,
  Debited,
  Decision,
  Deny,
  Spent,
  StoppedBy,
} from '../domain/decision.ts'
import type { Tx } from '../domain/tx.ts'

export interface Budgets {
  /** Opens the accounts of what is cumulative among `bounds`; the others need none. */
  openAccounts(tx: Tx, account: string, bounds: readonly Constraint[]): Promise<void>
  /** What was debited for an allow, or which account is short. Nothing is spent on anything else. */
  spentOf(decision: Decision, debited: readonly Debited[]): Deny | readonly Spent[]
  /** What a debit would be refused for, now. */
  short(tx: Tx, decision: Decision): Promise<Deny | null>
  /** Every total of an account, by key, then type. `asked` is 0. */
  balances(account: string): Promise<readonly BudgetState[]>
}

export interface BudgetsOptions {
  readonly tenant: string
  /** Of the deciding side; reads. */
  readonly pool: Pool
}

export function createBudgets({ tenant, pool }: BudgetsOptions): Budgets {
  return {
    async openAccounts(tx, account, bounds) {
      const totals = bounds.filter(isCumulative)
      if (totals.length === 0) return
      // One statement: others wait while this has the turn, and an agent says how many there are.
      const { rowCount } = await tx.query({
        name: 'budget_open',
        text: `insert into procura.budget (tenant, account, key, type, bound)
               select $1, $2, key, type, bound
               from unnest($3::text[], $4::text[], $5::bigint[]) as total (key, type, bound)`,
        values: [
          ...[tenant, account, totals.map(({ key }) => key), totals.map(constraintType)],
          totals.map(limitOf),
        ],
      })
      if (rowCount !== totals.length) throw new Error('an account was not opened')
    },

    spentOf(decision, debited) {
      const { answer, debits } = decision
      if (answer.kind !== 'allow') return []
      const states = statesOf(debits, debited)
      const empty = states.find(({ used, asked, limit }) => used + asked > limit)
      if (empty !== undefined) return exhausted(decision, empty)
      return states.map((state, at) => spentOf(state, debited[at]?.usedAfter ?? null))
    },

    async short(tx, decision) {
      const { answer, debits } = decision
      if (answer.kind !== 'allow' || debits.length === 0) return null
      const { rows } = await tx.query<StateRow>({
        name: 'budget_short',
        text: `with ${STATE} select bound, used from state order by nth`,
        values: [tenant, ...columnsOf(debits)],
      })
      const states = statesOf(debits, rows)
      const empty = states.find(({ used, asked, limit }) => used + asked > limit)
      return empty === undefined ? null : exhausted(decision, empty)
    },

    async balances(account) {
      return await ask<BudgetState & Record<string, unknown>>(pool, {
        name: 'budget_balances',
        text: `select account, key, type, bound as limit, used, 0 as asked from procura.budget
               where tenant = $1 and account = $2 order by key collate "C", type collate "C"`,
        values: [tenant, account],
      })
    },
  }
}

/** Each debit with its account as it was found, in the order asked for. */
const STATE = `wanted as (
    select * from unnest($2::text[], $3::text[], $4::text[], $5::bigint[])
      with ordinality as w (account, key, type, amount, nth)
  ), state as (
    select w.*, b.bound, b.used
    from wanted w
    left join procura.budget b
      on b.tenant = $1 and b.account = w.account and b.key = w.key and b.type = w.type
  )`

type StateRow = Pick<Debited, 'bound' | 'used'>

function limitOf(bound: Constraint): number {
  if ('max_subtree' in bound) return bound.max_subtree
  if ('max_lifetime' in bound) return bound.max_lifetime
  throw new TypeError('an account for what does not add up')
}

function columnsOf(debits: readonly Debit[]): unknown[][] {
  return [
    debits.map(({ account }) => account),
    debits.map(({ key }) => key),
    debits.map(({ type }) => type),
    debits.map(({ amount }) => amount),
  ]
}

function statesOf(debits: readonly Debit[], rows: readonly StateRow[]): BudgetState[] {
  return debits.map(({ account, key, type, amount }, at) => {
    const { bound, used } = rows[at] ?? { bound: null, used: null }
    if (bound === null || used === null) throw new Error(`no account for a total on ${key}`)
    return { account, key, type, limit: bound, used, asked: amount }
  })
}

function spentOf({ asked, ...state }: BudgetState, usedAfter: number | null): Spent {
  if (usedAfter === null) throw new Error('a debit was overtaken')
  const { account, key, type, limit } = state
  return { account, key, type, amount: asked, limit, usedAfter }
}

function exhausted({ chain }: Decision, budget: BudgetState): Deny {
  const { account, key, type, limit } = budget
  const stoppedBy = holderOf(chain, account)
  const whose = stoppedBy.kind === 'consent' ? 'the consent' : `hop ${String(stoppedBy.hop)}`
  return {
    kind: 'deny',
    code: 'budget_exhausted',
    rules: [],
    stoppedBy,
    outcome: 'ceiling_exceeded',
    field: `constraints[${key},${type}]`,
    budget,
    detail: `${key} of ${whose} may add up to ${String(limit)}, and would be more`,
  }
}

/** Whose account it is: the consent's, a hop's, or else the root's or the session's own. */
function holderOf(chain: Chain, account: string): StoppedBy {
  if (account === chain.consent.id) return { hop: null, kind: 'consent', id: chain.consent.id }
  const own = chain.session === account ? leafOf(chain) : chain.hops[0]
  const { depth, agent } = chain.hops.find(({ delegation }) => delegation === account) ?? own
  return { hop: depth, kind: 'agent', id: agent }
}
