/** The red list: leases that are over for us, and whose targets have not said so yet. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { AgentId, ConsentId, CredentialId, PersonId } from '../domain/ids.ts'
import type { ProvenPerson } from '../domain/person.ts'

export interface Unconfirmed {
  readonly id: CredentialId
  readonly state: 'minting' | 'active' | 'revoke_pending'
  /** Why it was to end; `null` where its end was not begun with. */
  readonly reason: string | null
  readonly target: string
  readonly tool: string
  readonly sponsor: PersonId
  readonly agent: AgentId
  readonly consent: ConsentId
  readonly issuedAt: Date
  readonly expiresAt: Date
  /** How often its target was asked in vain. */
  readonly attempts: number
  readonly nextTryAt: Date | null
}

export interface UnconfirmedPage {
  readonly limit: number
  readonly before: CredentialId | null
}

/** Newest first. A sponsor sees their own; operators and auditors see all. */
export async function unconfirmed(
  pool: Pool,
  tenant: string,
  { person }: ProvenPerson,
  { limit, before }: UnconfirmedPage,
): Promise<{ items: Unconfirmed[]; next: CredentialId | null }> {
  const seesAll = person.roles.includes('operator') || person.roles.includes('auditor')
  const rows = await ask<Row>(pool, {
    ...(seesAll ? ALL : OWN),
    values: [tenant, before, limit + 1, ...(seesAll ? [] : [person.id])],
  })
  const items = rows.slice(0, limit).map(itemOf)
  return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null }
}

/** `~` comes after every id: one condition, which an index is entered by, for the first page too. */
const BEFORE = `l.id collate "C" < coalesce($2, '~')`

/**
 * Those put off, by their index; and those that nobody has come to yet, from one target to the next: what
 * is alive and not due is not read. Something is begun with within seconds, or somebody should look. Each
 * way finds a page of names, however many there are; whole rows are read of one page only.
 *
 * @param whose a condition on the lease `l`, of `$4` if anything
 */
const redList = (whose: string) => `
  with recursive time as materialized (select clock_timestamp() - interval '5 s' as late),
  alive (target) as (
    select min(target) from procura.lease where tenant = $1 and due_at is not null
    union all
    select (select min(l.target) from procura.lease l
            where l.tenant = $1 and l.due_at is not null and l.target > alive.target)
    from alive where alive.target is not null
  ), found (id) as (
    (select l.id from procura.lease l
     where l.tenant = $1 and ${whose} and l.state = 'revoke_pending' and ${BEFORE}
     order by l.id collate "C" desc limit $3)
    union
    select late.id from time, alive, lateral (
      select l.id from procura.lease l
      where l.tenant = $1 and l.target = alive.target and l.due_at <= time.late
        and l.state in ('minting', 'active') and ${whose} and ${BEFORE}
      order by l.id collate "C" desc limit $3) late
  ), page as materialized (
    select id from found order by id collate "C" desc limit $3
  )
  select l.id, l.state, l.end_reason, l.target, l.intent ->> 'tool' as tool, l.sponsor, l.agent,
    l.consent, l.issued_at, l.expires_at, l.attempts, l.next_try_at
  from page join procura.lease l on l.tenant = $1 and l.id = page.id
  order by l.id collate "C" desc`

const ALL = { name: 'leases_unconfirmed', text: redList('true') }
const OWN = { name: 'leases_unconfirmed_own', text: redList('l.sponsor = $4') }

interface Row extends Record<string, unknown> {
  readonly id: CredentialId
  readonly state: Unconfirmed['state']
  readonly end_reason: string | null
  readonly target: string
  readonly tool: string
  readonly sponsor: PersonId
  readonly agent: AgentId
  readonly consent: ConsentId
  readonly issued_at: Date
  readonly expires_at: Date
  readonly attempts: number
  readonly next_try_at: Date | null
}

function itemOf(row: Row): Unconfirmed {
  const { id, state, target, tool, sponsor, agent, consent, attempts } = row
  return {
    ...{ id, state, reason: row.end_reason, target, tool, sponsor, agent, consent, attempts },
    ...{ issuedAt: row.issued_at, expiresAt: row.expires_at, nextTryAt: row.next_try_at },
  }
}
