/** One stop, from whose it is to what it counts: everything in the transaction that records it. */
import type { Agent } from '../domain/agent.ts'
import type { LedgerEntry, Revocation } from '../domain/entry.ts'
import {
  type AgentId,
  type ConsentId,
  newId,
  type PersonId,
  type RevocationId,
} from '../domain/ids.ts'
import { identityOf, type ProvenPerson } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { insertStop, stoppedBefore } from './store.ts'

export interface StoppingOptions {
  readonly tenant: string
  /** Cancels the approvals that are open under something; their entries. */
  readonly cancelUnder: (tx: Tx, what: Under, act: Act) => Promise<LedgerEntry[]>
}
export type Under = { readonly consent: ConsentId } | { readonly agent: AgentId }

/** `revocation` is `null` where it had been stopped before. */
export interface Stopped {
  readonly id: RevocationId
  readonly revocation: Revocation | null
  readonly entries: LedgerEntry[]
}

interface Of<Id> {
  readonly person: ProvenPerson
  readonly id: Id
  readonly act: Act
}

export async function stopConsent(
  options: StoppingOptions,
  tx: Tx,
  { person, id, act }: Of<ConsentId>,
): Promise<Stopped> {
  const { tenant } = options
  const { rows } = await tx.query<{ sponsor: PersonId }>({
    name: 'stop_consent_of',
    text: 'select sponsor from procura.consent where tenant = $1 and id = $2',
    values: [tenant, id],
  })
  const cause = causeOf(person, rows[0]?.sponsor)
  const target = { kind: 'consent', id } as const
  const before = await stoppedBefore(tx, tenant, target)
  if (before !== null) return { id: before, revocation: null, entries: [] }

  const ended = await tx.query({
    name: 'stop_consent',
    text: `update procura.consent set withdrawn_at = $3
           where tenant = $1 and id = $2 and withdrawn_at is null`,
    values: [tenant, id, tx.now],
  })
  const cancelled = await options.cancelUnder(tx, { consent: id }, act)
  const counts = {
    ...NONE,
    consents: ended.rowCount ?? 0,
    credentials: await leasesAlive(tx, tenant, target),
    approvals: cancelled.length,
  }
  return await stop(tx, tenant, { target, cause, person, act, counts, also: cancelled })
}

export async function stopAgent(
  options: StoppingOptions,
  tx: Tx,
  { person, id, act }: Of<AgentId>,
): Promise<Stopped> {
  const { tenant } = options
  const agent = await agentInTurn(tx, tenant, id)
  const cause = causeOf(person, agent?.sponsor)
  const target = { kind: 'agent', id } as const
  const before = await stoppedBefore(tx, tenant, target)
  if (before !== null) return { id: before, revocation: null, entries: [] }

  await tx.query({
    name: 'stop_agent',
    text: `update procura.agent set status = 'retired' where tenant = $1 and id = $2`,
    values: [tenant, id],
  })
  const ended = await tx.query({
    name: 'stop_agent_consents',
    text: `update procura.consent set withdrawn_at = $3
           where tenant = $1 and agent = $2 and withdrawn_at is null`,
    values: [tenant, id, tx.now],
  })
  const cancelled = await options.cancelUnder(tx, { agent: id }, act)
  const counts = {
    ...NONE,
    consents: ended.rowCount ?? 0,
    credentials: await leasesAlive(tx, tenant, target),
    approvals: cancelled.length,
  }
  const retired = agent && ({ type: 'agent_retired', act, agent } as const)
  const also = [...(retired ? [retired] : []), ...cancelled]
  return await stop(tx, tenant, { target, cause, person, act, counts, also })
}

/** Sessions leave no row, and of roots and hops there are none yet. */
const NONE = { consents: 0, sessions: 0, roots: 0, delegations: 0, credentials: 0, approvals: 0 }

/** Whose stop it is. Another's thing looks like none at all; an operator may stop everything. */
function causeOf({ person }: ProvenPerson, sponsor: PersonId | undefined) {
  if (sponsor !== undefined && sponsor === person.id) return 'withdrawn'
  if (sponsor !== undefined && person.roles.includes('operator')) return 'operator_action'
  throw new BrokerError('not_found')
}

async function leasesAlive(
  tx: Tx,
  tenant: string,
  { kind, id }: Revocation['target'],
): Promise<number> {
  const { rows } = await tx.query<{ alive: number }>({
    name: 'stop_leases',
    text: `select
        (select count(*) from procura.lease
         where $2 = 'consent' and tenant = $1 and consent = $3 and due_at is not null)
        + (select count(*) from procura.lease
           where $2 = 'agent' and tenant = $1 and agent = $3 and due_at is not null) as alive`,
    values: [tenant, kind, id],
  })
  return rows[0]?.alive ?? 0
}

interface Stopping {
  readonly target: Revocation['target']
  readonly cause: string
  readonly person: ProvenPerson
  readonly act: Act
  readonly counts: Readonly<Record<string, number>>
  readonly also: readonly LedgerEntry[]
}

async function stop(tx: Tx, tenant: string, stopping: Stopping): Promise<Stopped> {
  const { target, cause, person, act, counts, also } = stopping
  const eventId = newId('evt', tx.now)
  const revocation = { id: newId('rev', tx.now), target, cause, at: tx.now, counts }
  await insertStop(tx, tenant, { revocation, eventId })
  const sealed = { fields: ['person'], payload: { person: identityOf(person.person) } }
  const entry: LedgerEntry = { type: 'revocation', act, revocation, eventId, sealed }
  return { id: revocation.id, revocation, entries: [entry, ...also] }
}

async function agentInTurn(tx: Tx, tenant: string, id: AgentId): Promise<Agent | null> {
  const { rows } = await tx.query<Omit<Agent, 'createdAt'> & { created_at: Date }>({
    name: 'stop_agent_of',
    text: `select id, sponsor, name, description, workload, status, created_at from procura.agent
           where tenant = $1 and id = $2`,
    values: [tenant, id],
  })
  if (rows[0] === undefined) return null
  const { created_at: createdAt, ...agent } = rows[0]
  return { ...agent, status: 'retired', createdAt }
}
