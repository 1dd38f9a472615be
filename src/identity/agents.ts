/** Registered agents: one workload each, of one sponsor each. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { Agent, Workload } from '../domain/agent.ts'
import type { Sealed } from '../domain/entry.ts'
import { type AgentId, type EventId, newId, type PersonId } from '../domain/ids.ts'
import { canonical } from '../domain/json.ts'
import { identityOf, type ProvenPerson } from '../domain/person.ts'
import type { Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { By } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { requireRole } from './people.ts'
import { membersOf } from './proof-key.ts'
import { checkedAgent, type NewAgent, type WorkloadCheck } from './new-agent.ts'

/** An agent, with the event that put it on record. */
export interface Registered {
  readonly agent: Agent
  readonly eventId: string
}

export interface Agents {
  /**
   * Registers an agent of this person. `isRepeat` when the key has registered it before.
   *
   * @throws BrokerError `role_required`, `schema_violation`, `workload_taken`, `idempotency_mismatch`
   */
  register(
    person: ProvenPerson,
    wanted: NewAgent,
    by: By,
  ): Promise<Registered & { readonly isRepeat: boolean }>
  /** Newest first: one's own; operators and auditors see all. `next` is the `before` that goes on. */
  list(person: ProvenPerson, page: Page): Promise<{ items: Registered[]; next: AgentId | null }>
  /** @throws BrokerError `not_found`, also for another's */
  find(person: ProvenPerson, id: string): Promise<Registered>
  /** The active agent of this workload, by `workloadKey`. */
  byWorkload(key: string): Promise<Agent | null>
  /** The active agent with this id. */
  active(id: string): Promise<Agent | null>
}
export interface Page {
  readonly limit: number
  readonly before: AgentId | null
}

export interface AgentsOptions {
  readonly tenant: string
  readonly pool: Pool
  readonly ledger: Ledger
  readonly isConfigured: WorkloadCheck
}

export function createAgents({ tenant, pool, ledger, isConfigured }: AgentsOptions): Agents {
  async function rows(query: { name: string; where: string; values: unknown[] }) {
    const text = `select id, sponsor, name, description, workload, status, created_at, event_id
                  from procura.agent where tenant = $1 and ${query.where}`
    const values = [tenant, ...query.values]
    const found = await ask<AgentRow>(pool, { name: query.name, text, values })
    return found.map(registeredOf)
  }
  const byId = (id: string) => rows({ name: 'agent_by_id', where: 'id = $2', values: [id] })
  const oneActive = ([first]: Registered[]) =>
    first?.agent.status === 'active' ? first.agent : null

  return {
    async register(person, wanted, by) {
      const { act, key } = by
      requireRole(person, 'sponsor')
      const earlier = await ledger.find(key)
      if (earlier !== null) {
        return { ...one(await byId(earlier['id'] as string)), isRepeat: true }
      }
      const checked = checkedAgent(wanted, isConfigured)
      const { value } = await ledger.record(key, async (tx) => {
        await refuseStopped(tx, tenant, person)
        const registered = { agent: made(checked, person, tx.now), eventId: newId('evt', tx.now) }
        await insert(tx, tenant, registered)
        const sealed = sealedOf(person, by)
        const entry = { type: 'agent_registered', act, ...registered, sealed } as const
        return { entries: [entry], value: registered, answer: { id: registered.agent.id } }
      })
      return { ...value, isRepeat: false }
    },

    async list(person, { limit, before }) {
      const found = await rows({
        name: 'agents_list',
        where: `($2::text is null or sponsor = $2) and ($3::text is null or id collate "C" < $3)
                order by id collate "C" desc limit $4`,
        values: [seesAll(person) ? null : person.person.id, before, limit + 1],
      })
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? (items.at(-1)?.agent.id ?? null) : null }
    },

    async find(person, id) {
      const found = one(await byId(id))
      if (!seesAll(person) && found.agent.sponsor !== person.person.id) {
        throw new BrokerError('not_found')
      }
      return found
    },

    async byWorkload(key) {
      const where = `workload_key = $2 and status = 'active'`
      return oneActive(await rows({ name: 'agent_by_workload', where, values: [key] }))
    },

    active: async (id) => oneActive(await byId(id)),
  }
}

/** What of a workload belongs to one active agent. */
export function workloadKey(workload: Workload): string {
  switch (workload.kind) {
    case 'oidc':
      return canonical(['oidc', workload.issuer, workload.subject])
    case 'spiffe':
      return canonical(['spiffe', workload.id])
    case 'jwk':
      return canonical(['jwk', membersOf(workload.jwk).jkt])
  }
}

const seesAll = ({ person: { roles } }: ProvenPerson) =>
  roles.includes('operator') || roles.includes('auditor')

function made(
  checked: Pick<Agent, 'name' | 'description' | 'workload'>,
  by: ProvenPerson,
  now: Date,
): Agent {
  const id = newId('agt', now)
  return { id, sponsor: by.person.id, ...checked, status: 'active', createdAt: now }
}

function sealedOf({ person }: ProvenPerson, { origin: { address, userAgent } }: By): Sealed {
  const origin = { address, user_agent: userAgent }
  return { fields: ['person', 'origin'], payload: { person: identityOf(person), origin } }
}

/**
 * All that they had was stopped with a sponsor, once: what they register afterwards would not be, and
 * could be handed something under the consent of another.
 */
async function refuseStopped(tx: Tx, tenant: string, { person }: ProvenPerson): Promise<void> {
  const { rows } = await tx.query({
    name: 'sponsor_stopped',
    text: `select from procura.stop where tenant = $1 and kind = 'sponsor' and id = $2`,
    values: [tenant, person.id],
  })
  if (rows.length === 0) return
  const detail = 'You were stopped as a sponsor, and may sponsor nothing new'
  throw new BrokerError('role_required', { shown: { detail } })
}

/** The index over active workloads settles who is first. */
async function insert(
  tx: Tx,
  tenant: string,
  { agent, eventId }: { agent: Agent; eventId: EventId },
): Promise<void> {
  const { id, sponsor, name, description, workload, createdAt } = agent
  const { rowCount } = await tx.query({
    name: 'agent_insert',
    text: `insert into procura.agent (tenant, id, sponsor, name, description, workload,
             workload_key, status, created_at, event_id)
           values ($1, $2, $3, $4, $5, $6, $7, 'active', $8, $9)
           on conflict (tenant, workload_key) where status = 'active' do nothing`,
    values: [
      ...[tenant, id, sponsor, name, description, workload],
      ...[workloadKey(workload), createdAt, eventId],
    ],
  })
  if (rowCount !== 1) throw new BrokerError('workload_taken')
}

interface AgentRow {
  id: AgentId
  sponsor: PersonId
  name: string
  description: string | null
  workload: Workload
  status: Agent['status']
  created_at: Date
  event_id: string
}

function registeredOf({
  created_at: createdAt,
  event_id: eventId,
  ...agent
}: AgentRow): Registered {
  return { agent: { ...agent, createdAt }, eventId }
}

function one([first]: readonly Registered[]): Registered {
  if (first === undefined) throw new BrokerError('not_found')
  return first
}
