/** Hops, as those look at them that are on their chain. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { BudgetState } from '../domain/decision.ts'
import type { AgentId, DelegationId } from '../domain/ids.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import { BrokerError } from '../domain/problems.ts'
import { COLUMNS, type Registered, registeredOf, type Row, STATUS } from './store.ts'

export interface LookingOptions {
  readonly tenant: string
  readonly pools: { readonly front: Pool }
  /** Every total of an account. */
  readonly balances: (account: string) => Promise<readonly BudgetState[]>
}

/** A hop, and whether it may still be used. */
export type Looked = Registered & { readonly status: 'active' | 'expired' | 'revoked' }

export interface Looking {
  /** Newest first, all that have the key of this instance on their chain. */
  list(
    instance: ProvenInstance,
    page: { readonly limit: number; readonly before: DelegationId | null },
  ): Promise<{ items: Looked[]; next: DelegationId | null }>
  /** One of those, with what is left of its totals. @throws BrokerError `not_found` */
  find(
    instance: ProvenInstance,
    id: DelegationId,
  ): Promise<Looked & { readonly budgets: readonly BudgetState[] }>
  /** The hop that this agent received; `null` for none. @throws BrokerError `not_found` */
  received(id: DelegationId | null, agent: AgentId): Promise<Looked | null>
}

export function createLooking({ tenant, pools, balances }: LookingOptions): Looking {
  async function look(where: string, values: readonly unknown[]): Promise<Looked[]> {
    const rows = await ask<Row & Pick<Looked, 'status'>>(pools.front, {
      text: `select ${COLUMNS}, ${STATUS} as status from procura.delegation d
             where d.tenant = $1 and ${where}`,
      values: [tenant, ...values],
    })
    return rows.map((row) => ({ ...registeredOf(row), status: row.status }))
  }

  return {
    async list({ jkt }, { limit, before }) {
      const found = await look(
        `d.keys @> array[$2::text] and ($3::text is null or d.id collate "C" < $3)
         order by d.id collate "C" desc limit $4`,
        [jkt, before, limit + 1],
      )
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
    },

    async find({ jkt }, id) {
      const [found] = await look('d.id = $2 and d.keys @> array[$3::text]', [id, jkt])
      if (found === undefined) throw new BrokerError('not_found')
      const accounts = [found.consent, ...found.accounts.map((account) => account.id)]
      const totals = await Promise.all(accounts.map((account) => balances(account)))
      return { ...found, budgets: totals.flat() }
    },

    async received(id, agent) {
      if (id === null) return null
      const [found] = await look('d.id = $2 and d.agent = $3', [id, agent])
      if (found === undefined) throw new BrokerError('not_found')
      return found
    },
  }
}
