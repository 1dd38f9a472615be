/** Consents in the database: `terms` as signed, `uses` as the account has them, status as of now. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { eachOf, rowsOf } from '../db/each.ts'
import type { Standing } from '../domain/chain.ts'
import { type Consent, termsBody, termsOf } from '../domain/consent.ts'
import type { AgentId, ConsentId, EventId, PersonId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Rowwise, Tx } from '../domain/tx.ts'

/** A consent, the token that proves it, and the event that put it on record. */
export interface Given {
  readonly consent: Consent
  readonly consentJwt: string
  readonly eventId: EventId
}

export interface ConsentPage {
  readonly limit: number
  readonly before: ConsentId | null
  readonly agent: AgentId | null
  readonly status: Consent['status'] | null
}

const COLUMNS = `c.id, c.sponsor, c.terms, c.terms_hash, c.consent_jwt, c.created_at, c.event_id,
  coalesce(b.used, 0) as uses,
  case when c.withdrawn_at is not null then 'withdrawn'
       when c.expires_at <= clock_timestamp() then 'expired'
       when b.used >= b.bound then 'used_up'
       else 'active' end as status`
const TABLES = `procura.consent c
  left join procura.budget b
    on b.tenant = c.tenant and b.account = c.id and b.key = 'calls' and b.type = 'max_subtree'`

export function createStore(tenant: string, front: Pool) {
  /** `among`: a condition on the row of a consent, looked at before what has been used of it. */
  async function rows(query: { name: string; among?: string; where: string; values: unknown[] }) {
    const among = query.among ?? 'true'
    const text = `select * from (
                    select ${COLUMNS}, c.agent from ${TABLES} where c.tenant = $1 and ${among}
                  ) c where ${query.where}`
    const values = [tenant, ...query.values]
    const found = await ask<ConsentRow>(front, { name: query.name, text, values })
    return found.map(givenOf)
  }

  return {
    /** @throws BrokerError `not_found` */
    async byId(id: string): Promise<Given> {
      const [given] = await rows({ name: 'consent_by_id', where: 'id = $2', values: [id] })
      if (given === undefined) throw new BrokerError('not_found')
      return given
    },

    async ofAgent(agent: AgentId, named: ConsentId | null): Promise<Consent[]> {
      const active = {
        name: 'consents_active',
        among: 'c.agent = $2 and c.withdrawn_at is null and c.expires_at > clock_timestamp()',
        where: `status = 'active' order by id collate "C" desc limit 2`,
      }
      const byName = { name: 'consent_of_agent', where: 'agent = $2 and id = $3' }
      const found =
        named === null
          ? await rows({ ...active, values: [agent] })
          : await rows({ ...byName, values: [agent, named] })
      return found.map(({ consent }) => consent)
    },

    /** @param sponsor whose consents; `null`: everybody's */
    async list(sponsor: PersonId | null, { limit, before, agent, status }: ConsentPage) {
      const found = await rows({
        name: 'consents_list',
        where: `($2::text is null or sponsor = $2) and ($3::text is null or agent = $3)
                and ($4::text is null or status = $4) and ($5::text is null or id collate "C" < $5)
                order by id collate "C" desc limit $6`,
        values: [sponsor, agent, status, before, limit + 1],
      })
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? (items.at(-1)?.consent.id ?? null) : null }
    },

    /** The time, if this is an active agent of this sponsor. @throws BrokerError `not_found` */
    async activeAgent(agent: AgentId, sponsor: PersonId): Promise<Date> {
      const [found] = await ask<{ now: Date }>(front, {
        name: 'consent_agent',
        text: `select clock_timestamp() as now from procura.agent
               where tenant = $1 and id = $2 and sponsor = $3 and status = 'active'`,
        values: [tenant, agent, sponsor],
      })
      if (found === undefined) throw new BrokerError('not_found')
      return found.now
    },
  }
}

/** What a consent stands on, if it is this agent's. On the hot path, where many ask at once. */
export function standingOf(pdp: Pool, tenant: string) {
  const each = eachOf(pdp)
  return async (of: {
    consent: ConsentId
    /** `null`: a session of ours names the consent. */
    agent: AgentId | null
  }): Promise<Standing | null> => {
    const row = await each<ConsentRow & { groups: string[]; now: Date }>(standing(tenant), {
      ...{ consent: of.consent, agent: of.agent },
    })
    if (row === null) return null
    return { consent: givenOf(row).consent, sponsorGroups: row.groups, readAt: row.now }
  }
}

const standing = (tenant: string): Rowwise => ({
  name: 'consent_standing',
  text: `select r.n, ${COLUMNS}, p.groups, clock_timestamp() as now
         from ${rowsOf('consent text, agent text')}, ${TABLES}
         join procura.person p on p.tenant = c.tenant and p.id = c.sponsor
         where c.tenant = r.tenant and c.id = r.consent and (r.agent is null or c.agent = r.agent)`,
  values: [tenant],
})

/**
 * In the turn, which a publication has to take as well.
 *
 * @throws BrokerError `decision_stale` unless the rules of that epoch, which said yes, are in force
 */
export async function refuseOtherRules(tx: Tx, tenant: string, policyEpoch: number): Promise<void> {
  const { rows } = await tx.query<{ value: string }>({
    name: 'consent_rules',
    text: `select value from procura.epoch where tenant = $1 and kind = 'policy'`,
    values: [tenant],
  })
  if (Number(rows[0]?.value ?? 0) === policyEpoch) return
  throw new BrokerError('decision_stale', { shown: { reason: 'policy_epoch' } })
}

/** The agent must be its sponsor's and active at this very moment: one statement checks and writes. */
export async function insertConsent(tx: Tx, tenant: string, given: Given): Promise<void> {
  const { consent, consentJwt, eventId } = given
  const { id, sponsor, terms, termsHash, createdAt } = consent
  const { rowCount } = await tx.query({
    name: 'consent_insert',
    text: `insert into procura.consent (tenant, id, sponsor, agent, terms, terms_hash, consent_jwt,
             max_uses, created_at, expires_at, event_id)
           select tenant, $2, sponsor, id, $5, $6, $7, $8, $9, $10, $11 from procura.agent
           where tenant = $1 and id = $4 and sponsor = $3 and status = 'active'`,
    values: [
      ...[tenant, id, sponsor, terms.agent, termsBody(terms), termsHash, consentJwt],
      ...[terms.maxUses, createdAt, terms.expiresAt, eventId],
    ],
  })
  if (rowCount !== 1) throw new BrokerError('not_found')
}

interface ConsentRow {
  readonly id: ConsentId
  readonly sponsor: PersonId
  readonly terms: JsonObject
  readonly terms_hash: string
  readonly consent_jwt: string
  readonly created_at: Date
  readonly event_id: EventId
  readonly uses: number
  readonly status: Consent['status']
}

function givenOf(row: ConsentRow): Given {
  const { id, sponsor, status, uses } = row
  const consent: Consent = {
    ...{ id, sponsor, terms: termsOf(row.terms), termsHash: row.terms_hash },
    ...{ status, uses, createdAt: row.created_at },
  }
  return { consent, consentJwt: row.consent_jwt, eventId: row.event_id }
}
