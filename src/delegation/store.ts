/** Hops in the database: each with all that stands above it, so that one row is enough to act under it. */
import { rowsOf } from '../db/each.ts'
import { stopsOf } from '../db/stops.ts'
import type { Account } from '../domain/accounts.ts'
import type { Model } from '../domain/agent.ts'
import type { ChainAuthority } from '../domain/authority.ts'
import type { Delegated, Hop } from '../domain/chain.ts'
import type {
  AgentId,
  ConsentId,
  DelegationId,
  EventId,
  InstanceId,
  PersonId,
} from '../domain/ids.ts'
import type { Rowwise, Tx } from '../domain/tx.ts'

/** A hop that is on record. */
export interface Registered extends Delegated {
  readonly effective: ChainAuthority
  readonly consent: ConsentId
  readonly sponsor: PersonId
  readonly root: string
  readonly expiresAt: Date
  readonly registeredAt: Date
  readonly eventId: EventId
}

/** What a hop is written with, beside what follows from its place. */
export interface Writing extends Registered {
  readonly parent: string
}

export const COLUMNS = `d.id, d.hops, d.effective, d.accounts, d.consent, d.sponsor, d.root,
  d.expires_at, d.registered_at, d.event_id,
  (select jsonb_object_agg(i.jkt, jsonb_build_object('id', i.id, 'agent', i.agent, 'model', i.model))
   from procura.instance i where i.tenant = d.tenant and i.jkt = any (d.keys)) as runs`

const RESTS_ON = `d.path || d.agents || array[d.sponsor, d.consent, d.root] || array(
  select i.id from procura.instance i where i.tenant = d.tenant and i.jkt = any (d.keys))`

/** Whether it may still be used: anything on its path stopped, or its time over. */
export const STATUS = `case
    when exists (select from ${stopsOf('d.tenant', RESTS_ON)}) then 'revoked'
    when d.expires_at <= clock_timestamp() then 'expired'
    else 'active' end`

/** By its id, with the runs of its hops. On the hot path, where many ask at once. */
export const delegationBehind = (tenant: string): Rowwise => ({
  name: 'delegation_behind',
  text: `select r.n, ${COLUMNS}
         from ${rowsOf('id text')}
         join procura.delegation d on d.tenant = r.tenant and d.id = r.id`,
  values: [tenant],
})

export interface Row extends Record<string, unknown> {
  readonly id: DelegationId
  readonly hops: readonly HopColumn[]
  readonly effective: ChainAuthority
  readonly accounts: readonly Account[]
  readonly consent: ConsentId
  readonly sponsor: PersonId
  readonly root: string
  readonly expires_at: Date
  readonly registered_at: Date
  readonly event_id: EventId
  readonly runs: Readonly<
    Record<
      string,
      { readonly id: InstanceId; readonly agent: AgentId; readonly model: Model | null }
    >
  > | null
}

/** As `insertHop` writes it. */
interface HopColumn {
  readonly depth: number
  readonly agent: AgentId
  readonly instance: InstanceId | null
  readonly jkt: string
  readonly tokenHash: string
  readonly delegation: DelegationId | null
  readonly purpose: string
  readonly expiresAt: string
}

export function registeredOf(row: Row): Registered {
  const [root, ...below] = row.hops.map((hop): Hop => {
    const holder = row.runs?.[hop.jkt]
    const run = holder?.agent === hop.agent ? holder : undefined
    const expiresAt = new Date(hop.expiresAt)
    return { ...hop, expiresAt, instance: run?.id ?? hop.instance, model: run?.model ?? null }
  })
  if (root === undefined) throw new Error('a hop without its chain')
  return {
    ...{ id: row.id, hops: [root, ...below], effective: row.effective, accounts: row.accounts },
    ...{ consent: row.consent, sponsor: row.sponsor, root: row.root },
    ...{ expiresAt: row.expires_at, registeredAt: row.registered_at, eventId: row.event_id },
  }
}

/** The one with this token hash; `null` where it is not registered. */
export async function hopByHash(tx: Tx, tenant: string, hash: string): Promise<Registered | null> {
  const { rows } = await tx.query<Row>({
    name: 'delegation_by_hash',
    text: `select ${COLUMNS} from procura.delegation d where d.tenant = $1 and d.token_hash = $2`,
    values: [tenant, hash],
  })
  return rows[0] === undefined ? null : registeredOf(rows[0])
}

/** In the turn, where nobody else registers: a hop that is there already is a fault of ours. */
export async function insertHop(tx: Tx, tenant: string, hop: Writing): Promise<void> {
  const { hops, effective } = hop
  const leaf = hops.at(-1)
  if (leaf?.tokenHash == null) throw new TypeError('a hop without a token')
  await tx.query({
    name: 'delegation_insert',
    text: `insert into procura.delegation (tenant, id, token_hash, depth, root, parent, consent, sponsor,
             agent, jkt, purpose, effective, hops, accounts, path, agents, keys,
             registered_at, expires_at, event_id)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
             $20)`,
    values: [
      ...[tenant, hop.id, leaf.tokenHash, leaf.depth, hop.root, hop.parent, hop.consent],
      ...[hop.sponsor, leaf.agent, leaf.jkt, leaf.purpose, effective],
      ...[JSON.stringify(hops.map(({ model: _, ...kept }) => kept)), JSON.stringify(hop.accounts)],
      hops.flatMap(({ delegation }) => (delegation === null ? [] : [delegation])),
      ...[hops.map(({ agent }) => agent), hops.map(({ jkt }) => jkt)],
      ...[hop.registeredAt, hop.expiresAt, hop.eventId],
    ],
  })
}
