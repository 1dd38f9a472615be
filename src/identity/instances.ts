/** Runs of agents: one for each pair of agent and key, the same one whenever it comes again. */
import { stopsOf } from '../db/stops.ts'
import type { Agent, Model } from '../domain/agent.ts'
import {
  type AgentId,
  type ConsentId,
  type InstanceId,
  newId,
  type PersonId,
} from '../domain/ids.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Tx } from '../domain/tx.ts'
import { oauthError } from './refusals.ts'

/** @throws BrokerError `key_in_use` when another agent holds that key */
export async function instanceOf(
  tx: Tx,
  tenant: string,
  { agent, jkt }: { agent: AgentId; jkt: string },
): Promise<InstanceId> {
  const id = newId('ins', tx.now)
  const { rowCount } = await tx.query({
    name: 'instance_insert',
    text: `insert into procura.instance (tenant, id, agent, jkt, first_seen)
           values ($1, $2, $3, $4, $5) on conflict (tenant, jkt) do nothing`,
    values: [tenant, id, agent, jkt, tx.now],
  })
  if (rowCount === 1) return id
  const { rows } = await tx.query<{ id: InstanceId; agent: string }>({
    name: 'instance_by_key',
    text: 'select id, agent from procura.instance where tenant = $1 and jkt = $2',
    values: [tenant, jkt],
  })
  const [held] = rows
  if (held?.agent !== agent) throw oauthError('invalid_request', 'key_in_use')
  return held.id
}

/** Which model a run says it is on, for what is decided about those that it hands something to. */
export async function tellModel(
  tx: Tx,
  tenant: string,
  instance: InstanceId,
  model: Model | null,
): Promise<void> {
  await tx.query({
    name: 'instance_model',
    text: `update procura.instance set model = $3
           where tenant = $1 and id = $2 and model is distinct from $3`,
    values: [tenant, instance, model],
  })
}

/**
 * Refuses a session that would rest on something stopped, and any while everything is frozen. Read in
 * the transaction that records the session, so that a stop acknowledged before it commits is obeyed.
 *
 * @throws BrokerError `invalid_grant`, `frozen`
 */
export async function refuseStopped(
  tx: Tx,
  tenant: string,
  on: { agent: Agent; instance: InstanceId; consent: ConsentId; sponsor: PersonId },
): Promise<void> {
  const { rows } = await tx.query<{ kind: string }>({
    name: 'session_stops',
    text: `select stopped.kind from ${stopsOf('$1', 'array[$2, $3, $4, $5]')}
           union all
           select 'agent' from procura.agent
           where tenant = $1 and id = $2 and status <> 'active'
           union all
           select 'frozen' from procura.freeze
           where tenant = $1 and scope = '' and lifted_at is null`,
    values: [tenant, on.agent.id, on.instance, on.consent, on.sponsor],
  })
  if (rows.length === 0) return
  const stops = rows.filter(({ kind }) => kind !== 'frozen')
  if (stops.length === 0) throw new BrokerError('frozen')
  const isConsentOnly = stops.every(({ kind }) => kind === 'consent')
  throw oauthError('invalid_grant', isConsentOnly ? 'consent_inactive' : 'stopped')
}
