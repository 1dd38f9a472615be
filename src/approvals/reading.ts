/** Approvals as those who may answer, those who watch, and the agent that asked see them. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { Approval, ApprovalStatus } from '../domain/approval.ts'
import type { ApprovalId } from '../domain/ids.ts'
import type { ProvenInstance } from '../domain/instance.ts'
import type { ProvenPerson } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import { standingOf } from './asked.ts'
import { type ApprovalRow, approvalOf, columns } from './store.ts'
import { refuseUnlessAsked } from './verdict.ts'

export interface ApprovalPage {
  readonly limit: number
  readonly before: ApprovalId | null
  readonly status: ApprovalStatus | null
}

export interface Reading {
  /** Newest first: what this person is asked about, or has answered. */
  list(
    person: ProvenPerson,
    which: ApprovalPage,
  ): Promise<{ items: Approval[]; next: ApprovalId | null }>
  /** @throws BrokerError `not_found`, also for what this person is not asked about */
  find(person: ProvenPerson, id: ApprovalId): Promise<Approval>
  /** Whether this person is asked. @throws BrokerError `not_found`, `self_approval`, `approver_not_allowed` */
  checkAsked(person: ProvenPerson, id: ApprovalId): Promise<void>
  /** @throws BrokerError `not_found`, also for another agent's */
  findForAgent(instance: ProvenInstance, id: ApprovalId): Promise<Approval>
}

export interface ReadingOptions {
  readonly tenant: string
  /** Of the front. */
  readonly pool: Pool
}

export function createReading({ tenant, pool }: ReadingOptions): Reading {
  async function byId(id: ApprovalId): Promise<Approval> {
    const [row] = await ask<ApprovalRow & Record<string, unknown>>(pool, {
      name: 'approval_by_id',
      text: `select ${columns()} from procura.approval a where a.tenant = $1 and a.id = $2`,
      values: [tenant, id],
    })
    if (row === undefined) throw new BrokerError('not_found')
    return approvalOf(row)
  }

  /** For whom they would say yes, by name: the id alone tells a person nothing. */
  async function named(approvals: readonly Approval[]): Promise<Approval[]> {
    const people = await ask<{ id: string; display: string | null }>(pool, {
      name: 'approval_sponsors',
      text: 'select id, display from procura.person where tenant = $1 and id = any($2::text[])',
      values: [tenant, approvals.map(({ sponsor }) => sponsor)],
    })
    const display = new Map(people.map((person) => [person.id, person.display]))
    return approvals.map((approval) => {
      const sponsor = { id: approval.sponsor, display: display.get(approval.sponsor) ?? null }
      return { ...approval, shown: { ...approval.shown, sponsor } }
    })
  }

  return {
    async list({ person }, { limit, before, status }) {
      const rows = await ask<ApprovalRow & Record<string, unknown>>(pool, {
        name: 'approvals_list',
        text: LIST,
        values: [tenant, person.id, person.groups, isApprover(person), status, before, limit + 1],
      })
      const items = await named(rows.slice(0, limit).map(approvalOf))
      return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null }
    },

    async find({ person }, id) {
      const approval = await byId(id)
      const isTheirs = approval.approver === person.id || approval.sponsor === person.id
      const sees = person.roles.includes('auditor') || person.roles.includes('operator')
      const standing = standingOf(person, approval.asked, approval.sponsor)
      if (!isTheirs && !sees && standing !== 'asked') throw new BrokerError('not_found')
      const [shown = approval] = await named([approval])
      return shown
    },

    async checkAsked(person, id) {
      refuseUnlessAsked(person, await byId(id))
    },

    async findForAgent({ session }, id) {
      const approval = await byId(id)
      if (approval.agent !== session.agent) throw new BrokerError('not_found')
      return approval
    },
  }
}

const isApprover = ({ roles }: ProvenPerson['person']) => roles.includes('approver')

/** `standingOf`, as the database computes it: a page is cut from what is left. */
const LIST = `select * from (select ${columns()} from procura.approval a where a.tenant = $1) a
  where (approver = $2 or ($4 and (sponsor <> $2 or asked -> 'of' ? 'sponsor') and not exists (
      select from jsonb_array_elements_text(asked -> 'of') who
      where not (case who when 'sponsor' then sponsor = $2 else who = any($3::text[]) end))))
    and ($5::text is null or status = $5) and ($6::text is null or id collate "C" < $6)
  order by id collate "C" desc limit $7`
