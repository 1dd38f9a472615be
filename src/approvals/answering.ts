/** A person's yes or no, the agent's second thoughts, and the end of what nobody answered. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { Approval } from '../domain/approval.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import type { ApprovalId } from '../domain/ids.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import type { Signer } from '../domain/jws.ts'
import type { ProvenPerson } from '../domain/person.ts'
import type { Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act, By } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { attempt, ending, give } from './giving.ts'
import type { Reading } from './reading.ts'
import { type ApprovalRow, approvalOf, columns, endPending, readInTurn } from './store.ts'
import { checkVerdict, refuseOldSignIn, tooLate, type Verdict } from './verdict.ts'

export interface Decided {
  readonly approval: Approval
  /** `approval+jwt` */
  readonly evidence: string
  readonly eventId: string
  readonly isRepeat: boolean
}

export interface Answering {
  /**
   * The first word counts; one that comes later is on record too, and refused.
   *
   * @throws BrokerError `role_required`, `not_found`, `self_approval`, `approver_not_allowed`,
   *   `step_up_required`, `conflict`, `approval_expired`, `args_mismatch`, `signature_required`,
   *   `schema_violation`
   */
  decide(person: ProvenPerson, id: ApprovalId, verdict: Verdict, by: By): Promise<Decided>
  /** By the agent that asked. Again: the same answer. @throws BrokerError `not_found`, `conflict`, `approval_expired` */
  cancel(instance: ProvenInstance, id: ApprovalId, act: Act): Promise<Approval>
  /** Cancels what is open of these, whose ground is being stopped; the entries to record with it. */
  cancelAll(tx: Tx, ids: readonly ApprovalId[], act: Act): Promise<LedgerEntry[]>
  /** Puts the end of those on record that nobody answered in time; how many. */
  expireDue(act: Act): Promise<number>
}

export interface AnsweringOptions extends Pick<Reading, 'checkAsked' | 'findForAgent'> {
  readonly tenant: string
  readonly pool: Pool
  readonly ledger: Ledger
  readonly signer: Signer
  readonly signInAgeMax: number | null
}

const EXPIRE_AT_ONCE = 100

/** `made` is `null` where the word came too late. */
interface Answered {
  readonly approval: Approval
  readonly made: { readonly evidence: string; readonly eventId: string } | null
}

export function createAnswering(options: AnsweringOptions): Answering {
  const { tenant, ledger, checkAsked, findForAgent } = options
  return {
    async decide(person, id, verdict, by) {
      if (!person.person.roles.includes('approver')) throw new BrokerError('role_required')
      const earlier = await ledger.find(by.key)
      if (earlier !== null) return await repeated(options, id, earlier as { event_id: string })
      // Whom it asks never changes. Who is not takes no turn of the ledger.
      await checkAsked(person, id)
      const { value } = await ledger.record<Answered>(by.key, async (tx) => {
        const approval = await readInTurn(tx, tenant, id)
        if (approval === null) throw new BrokerError('not_found')
        refuseOldSignIn(person, options.signInAgeMax, tx.now)
        if (approval.status !== 'pending') {
          const entry = attempt(approval, { person, verdict, by })
          return { entries: [entry], value: { approval, made: null }, answer: null }
        }
        checkVerdict(approval, verdict, tx.now)
        const made = await give(options, tx, approval, { person, verdict, by })
        const answer = { event_id: made.eventId }
        return { entries: [made.entry], value: { approval: made.approval, made }, answer }
      })
      if (value.made === null) throw tooLate(value.approval)
      const { evidence, eventId } = value.made
      return { approval: value.approval, evidence, eventId, isRepeat: false }
    },

    async cancel(instance, id, act) {
      // What is another's, or over, takes no turn of the ledger.
      const found = await findForAgent(instance, id)
      if (found.status === 'cancelled') return found
      if (found.status !== 'pending') throw tooLate(found)
      const { value } = await ledger.record(null, async (tx) => {
        const [ended] = await endPending(tx, tenant, { ids: [id] })
        if (ended !== undefined)
          return { entries: [ending(ended, act)], value: ended, answer: null }
        // Somebody was first, since.
        const over = (await readInTurn(tx, tenant, id)) ?? found
        if (over.status !== 'cancelled') throw tooLate(over)
        return { entries: [], value: over, answer: null }
      })
      return value
    },

    async cancelAll(tx, ids, act) {
      if (ids.length === 0) return []
      return (await endPending(tx, tenant, { ids })).map((approval) => ending(approval, act))
    },

    expireDue: (act) => expireDue(options, act),
  }
}

async function expireDue({ tenant, pool, ledger }: AnsweringOptions, act: Act): Promise<number> {
  const [due] = await ask(pool, {
    name: 'approvals_due',
    text: `select from procura.approval
           where tenant = $1 and status = 'pending' and expires_at <= clock_timestamp() limit 1`,
    values: [tenant],
  })
  if (due === undefined) return 0
  const { value } = await ledger.record(null, async (tx) => {
    const ended = await endPending(tx, tenant, { due: EXPIRE_AT_ONCE })
    const entries = ended.map((approval) => ending(approval, act))
    return { entries, value: ended.length, answer: null }
  })
  return value
}

async function repeated(
  { tenant, pool }: AnsweringOptions,
  id: ApprovalId,
  { event_id: eventId }: { event_id: string },
): Promise<Decided> {
  const [row] = await ask<ApprovalRow & Record<string, unknown>>(pool, {
    name: 'approval_answered',
    text: `select ${columns()} from procura.approval a where a.tenant = $1 and a.id = $2`,
    values: [tenant, id],
  })
  if (row?.evidence == null) throw new BrokerError('not_found')
  return { approval: approvalOf(row), evidence: row.evidence, eventId, isRepeat: true }
}
