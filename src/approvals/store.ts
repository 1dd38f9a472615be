/** Approvals in the database. One that nobody answered in time reads as expired, swept or not. */
import type { Approval, ApprovalStatus, Asked } from '../domain/approval.ts'
import type { AgentId, ApprovalId, ConsentId, DecisionId, PersonId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Tx } from '../domain/tx.ts'

/** @param now SQL for the database's time */
export const columns = (now = 'clock_timestamp()') =>
  `a.id, case when a.status = 'pending' and a.expires_at <= ${now} then 'expired' else a.status end
     as status,
   a.binding_hash, a.asked, a.agent, a.sponsor, a.consent, a.decision, a.shown, a.justification,
   a.created_at, a.expires_at, a.approved_until, a.approver, a.consumed_by, a.evidence`

export interface ApprovalRow {
  readonly id: ApprovalId
  readonly status: ApprovalStatus
  readonly binding_hash: string
  readonly asked: AskedColumn
  readonly agent: AgentId
  readonly sponsor: PersonId
  readonly consent: ConsentId
  readonly decision: DecisionId
  readonly shown: JsonObject
  readonly justification: string | null
  readonly created_at: Date
  readonly expires_at: Date
  readonly approved_until: Date | null
  readonly approver: PersonId | null
  readonly consumed_by: DecisionId | null
  /** `approval+jwt` */
  readonly evidence: string | null
}

type AskedColumn = Pick<Asked, 'rules' | 'of' | 'level'> & { readonly within_seconds: number }

export function approvalOf(row: ApprovalRow): Approval {
  const { id, status, agent, sponsor, consent, decision, shown, justification, approver } = row
  return {
    ...{ id, status, agent, sponsor, consent, decision, shown, justification, approver },
    ...{ bindingHash: row.binding_hash, asked: askedOf(row.asked), createdAt: row.created_at },
    ...{ expiresAt: row.expires_at, approvedUntil: row.approved_until },
    consumedBy: row.consumed_by,
  }
}

export function askedOf({ rules, of, level, within_seconds: withinSeconds }: AskedColumn): Asked {
  return { rules, of, level, withinSeconds }
}

/** The approval as the transaction that took its turn at `tx.now` finds it. */
export async function readInTurn(tx: Tx, tenant: string, id: ApprovalId): Promise<Approval | null> {
  const { rows } = await tx.query<ApprovalRow>({
    name: 'approval_in_turn',
    text: `select ${columns('$3')} from procura.approval a where a.tenant = $1 and a.id = $2`,
    values: [tenant, id, tx.now],
  })
  return rows[0] === undefined ? null : approvalOf(rows[0])
}

/** False where one is open for the same call, or `openMax` of the agent: others are recorded beside it. */
export async function insertApproval(
  tx: Tx,
  tenant: string,
  approval: Approval,
  openMax: number,
): Promise<boolean> {
  const { id, bindingHash, asked, agent, sponsor, consent, decision, shown } = approval
  const { withinSeconds, ...demand } = asked
  const { rowCount } = await tx.query({
    name: 'approval_insert',
    text: `insert into procura.approval (tenant, id, status, binding_hash, asked, agent, sponsor,
             consent, decision, shown, justification, created_at, expires_at)
           select $1, $2, 'pending', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12
           where (select count(*) from procura.approval where tenant = $1 and agent = $5
                    and status = 'pending' and expires_at > $11) < $13
           on conflict do nothing`,
    values: [
      ...[tenant, id, bindingHash, { ...demand, within_seconds: withinSeconds }, agent, sponsor],
      ...[consent, decision, shown, approval.justification],
      ...[approval.createdAt, approval.expiresAt, openMax],
    ],
  })
  return rowCount === 1
}

/** Which pending ones to end without anybody's word. */
export type Which = { readonly due: number } | { readonly ids: readonly ApprovalId[] }

/** Ends each of them once, whoever else tries: what is no longer pending is left alone. */
export async function endPending(tx: Tx, tenant: string, which: Which): Promise<Approval[]> {
  const { name, status, where, value } = endingOf(which)
  const { rows } = await tx.query<ApprovalRow>({
    name,
    text: `update procura.approval a set status = '${status}', decided_at = $2
           where a.tenant = $1 and a.status = 'pending' and ${where}
           returning ${columns('$2')}`,
    values: [tenant, tx.now, value],
  })
  return rows.map(approvalOf)
}

function endingOf(which: Which) {
  if ('due' in which) {
    const where = `a.id in (select id from procura.approval
      where tenant = $1 and status = 'pending' and expires_at <= $2 order by created_at limit $3)`
    return { name: 'approvals_expire', status: 'expired', where, value: which.due }
  }
  // What nobody answered in time has expired already, and is no longer anybody's to cancel.
  const where = 'a.expires_at > $2 and a.id = any ($3::text[])'
  return { name: 'approvals_cancel', status: 'cancelled', where, value: which.ids }
}
