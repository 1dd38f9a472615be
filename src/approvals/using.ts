/** The one use of a yes: looked at before the decision, and used up with it. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { Yes } from '../domain/approval.ts'
import { bindingHash } from '../domain/binding.ts'
import { type Chain, leafOf } from '../domain/chain.ts'
import type { Decision } from '../domain/decision.ts'
import { sameDigest } from '../domain/digest.ts'
import type { ApprovalId } from '../domain/ids.ts'
import type { Role } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import type { ToolCall } from '../domain/tool.ts'
import type { Tx } from '../domain/tx.ts'
import { standingOf } from './asked.ts'
import { type ApprovalRow, askedOf, columns } from './store.ts'

export interface UsingOptions {
  readonly tenant: string
  /** Of the deciding side. */
  readonly pool: Pool
}

interface UsedRow extends ApprovalRow {
  readonly roles: Role[] | null
  readonly groups: string[] | null
  readonly is_over: boolean | null
}

export function createUsing({ tenant, pool }: UsingOptions) {
  return {
    /**
     * The yes behind this id, if it is one to exactly this call. `null` without an id, and while
     * nobody has answered: the call is then asked about again, and joins what is open.
     *
     * @throws BrokerError `not_found`, `args_mismatch`, `approval_*`, `approver_not_allowed`
     */
    async fitting(id: ApprovalId | undefined, chain: Chain, call: ToolCall): Promise<Yes | null> {
      if (id === undefined) return null
      const [row] = await ask<UsedRow & Record<string, unknown>>(pool, {
        name: 'approval_fitting',
        text: `select ${columns()}, p.roles, p.groups,
                 a.approved_until <= clock_timestamp() as is_over
               from procura.approval a
               left join procura.person p on p.tenant = a.tenant and p.id = a.approver
               where a.tenant = $1 and a.id = $2`,
        values: [tenant, id],
      })
      // Another agent's looks like none at all. Another run of the same agent may use it.
      if (row?.agent !== leafOf(chain).agent) throw new BrokerError('not_found')
      const binding = bindingHash(chain, call, row.asked.level)
      if (!sameDigest(binding, row.binding_hash)) throw new BrokerError('args_mismatch')
      return row.status === 'pending' ? null : yesOf(row)
    },

    /** One row or none: of however many that hold the same yes, one gets it. */
    async spend(tx: Tx, { id: decision, answer, approval, chain }: Decision): Promise<void> {
      if (answer.kind !== 'allow' || approval === null) return
      const { rowCount } = await tx.query({
        name: 'approval_spend',
        text: `update procura.approval set consumed_by = $5 where ${UNUSED}`,
        values: [tenant, approval, leafOf(chain).agent, tx.now, decision],
      })
      if (rowCount !== 1) throw await whyNot(tx, tenant, approval)
    },

    /** Throws as `spend` would; it stays unused. */
    async checkUnused(tx: Tx, { answer, approval, chain }: Decision): Promise<void> {
      if (answer.kind !== 'allow' || approval === null) return
      const { rowCount } = await tx.query({
        name: 'approval_unused',
        text: `select from procura.approval where ${UNUSED}`,
        values: [tenant, approval, leafOf(chain).agent, tx.now],
      })
      if (rowCount !== 1) throw await whyNot(tx, tenant, approval)
    },
  }
}

const UNUSED = `tenant = $1 and id = $2 and agent = $3 and status = 'approved'
  and consumed_by is null and approved_until > $4`

function yesOf(row: UsedRow): Yes {
  const { id, status, approved_until: approvedUntil, approver, roles, groups } = row
  if (status === 'denied') throw new BrokerError('approval_denied')
  if (status === 'expired') throw new BrokerError('approval_expired')
  if (status !== 'approved' || approvedUntil === null || approver === null) {
    throw new BrokerError('approval_cancelled')
  }
  if (row.consumed_by !== null) throw new BrokerError('approval_consumed')
  if (row.is_over !== false) throw new BrokerError('approval_expired')
  // They have to be one of those asked now, and not only when they said yes.
  const person = { id: approver, roles: roles ?? [], groups: groups ?? [] }
  if (standingOf(person, row.asked, row.sponsor) !== 'asked') {
    throw new BrokerError('approver_not_allowed')
  }
  return { id, bindingHash: row.binding_hash, asked: askedOf(row.asked), approvedUntil }
}

async function whyNot(tx: Tx, tenant: string, id: ApprovalId): Promise<BrokerError> {
  const { rows } = await tx.query<{ is_used: boolean }>({
    name: 'approval_why_not',
    text: `select consumed_by is not null as is_used from procura.approval
           where tenant = $1 and id = $2`,
    values: [tenant, id],
  })
  return new BrokerError(rows[0]?.is_used === false ? 'approval_expired' : 'approval_consumed')
}
