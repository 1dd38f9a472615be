/** What the database has of a chain, for whoever looks into it. Each query is one that an index serves. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { stopsOf } from '../db/stops.ts'
import type { ChainAuthority } from '../domain/authority.ts'
import type { BudgetState } from '../domain/decision.ts'
import type {
  AgentId,
  ApprovalId,
  ConsentId,
  CredentialId,
  DecisionId,
  DelegationId,
  EventId,
  InstanceId,
} from '../domain/ids.ts'
import { STATUS } from './store.ts'

export interface RowsOptions {
  readonly tenant: string
  /** Of the front. */
  readonly pool: Pool
}

/** What an id stands for: the consent and the hop that something rests on, and what was asked there. */
export interface Place extends Record<string, unknown> {
  readonly consent: ConsentId
  readonly delegation: DelegationId | null
  /** The rest is `null` for a consent and a hop, where nothing was asked. */
  readonly decision: DecisionId | null
  readonly decision_event: EventId | null
  readonly credential: CredentialId | null
  readonly approval: ApprovalId | null
}

const ASKED = `d.consent, d.delegation, d.id as decision, d.event_id as decision_event, d.credential,
  d.approval`
const NOT_ASKED = `null as decision, null as decision_event, null as credential, null as approval`
const PLACES = {
  con: `select c.id as consent, null as delegation, ${NOT_ASKED}
        from procura.consent c where c.tenant = $1 and c.id = $2`,
  dlg: `select d.consent, d.id as delegation, ${NOT_ASKED}
        from procura.delegation d where d.tenant = $1 and d.id = $2`,
  dec: `select ${ASKED} from procura.decision d where d.tenant = $1 and d.id = $2`,
  crd: `select ${ASKED} from procura.lease l
        join procura.decision d on d.tenant = l.tenant and d.id = l.decision_id
        where l.tenant = $1 and l.id = $2`,
  apr: `select ${ASKED} from procura.approval a
        join procura.decision d on d.tenant = a.tenant and d.id = a.decision
        where a.tenant = $1 and a.id = $2`,
}
export const PLACE_PREFIXES = ['con', 'dlg', 'dec', 'crd', 'apr'] as const
export type PlacePrefix = (typeof PLACE_PREFIXES)[number]

export async function placeOf(
  { tenant, pool }: RowsOptions,
  prefix: PlacePrefix,
  id: string,
): Promise<Place | null> {
  const query = { name: `chain_place_${prefix}`, text: PLACES[prefix], values: [tenant, id] }
  const [place] = await ask<Place>(pool, query)
  return place ?? null
}

/** A root, or a hop: its place, and what the log has of it. */
interface PlacedRow extends Record<string, unknown> {
  readonly token_hash: string
  readonly agent: AgentId
  readonly jkt: string
  readonly expires_at: Date
  readonly event_id: EventId
  readonly index: number | null
  readonly status: 'active' | 'expired' | 'revoked'
}
export interface HopRow extends PlacedRow {
  readonly id: DelegationId
  readonly depth: number
  readonly root: string
  /** Hash of the token above. */
  readonly parent: string
  readonly path: readonly DelegationId[]
  readonly signed_by: string
  readonly purpose: string
  readonly effective: ChainAuthority
}
export interface RootRow extends PlacedRow {
  readonly jti: string
  readonly instance: InstanceId
}

const HOP = `d.id, d.depth, d.token_hash, d.root, d.parent, d.path, d.agent, d.jkt,
  d.keys[d.depth] as signed_by, d.purpose, d.effective, d.expires_at, d.event_id, ${STATUS} as status,
  (select l.index from ledger.leaf l where l.tenant = d.tenant and l.event_id = d.event_id) as index`

/** This hop and all above it, the root left out. */
export async function hopsTo({ tenant, pool }: RowsOptions, id: DelegationId): Promise<HopRow[]> {
  return await ask<HopRow>(pool, {
    name: 'chain_hops',
    text: `select ${HOP} from procura.delegation leaf
           join procura.delegation d on d.tenant = leaf.tenant and d.id = any (leaf.path)
           where leaf.tenant = $1 and leaf.id = $2 order by d.depth`,
    values: [tenant, id],
  })
}

/** What was handed on below a hop, or with `null` under a consent: oldest first. */
export async function hopsBelow(
  { tenant, pool }: RowsOptions,
  of: Pick<Place, 'consent' | 'delegation'>,
  limit: number,
): Promise<HopRow[]> {
  return await ask<HopRow>(pool, {
    name: 'chain_below',
    text: `select ${HOP} from procura.delegation d
           where d.tenant = $1 and d.consent = $2
             and ($3::text is null or (d.path @> array[$3::text] and d.id <> $3))
           order by d.id collate "C" limit $4`,
    values: [tenant, of.consent, of.delegation, limit],
  })
}

const ROOT_RESTS_ON = 'array[r.token_hash, r.jkt, r.instance, r.agent, r.consent, r.sponsor]'

export async function rootsOf(
  { tenant, pool }: RowsOptions,
  hashes: readonly string[],
): Promise<RootRow[]> {
  return await ask<RootRow>(pool, {
    name: 'chain_roots',
    text: `select r.token_hash, r.jti, r.agent, r.instance, r.jkt, r.expires_at, r.event_id,
             (select l.index from ledger.leaf l
              where l.tenant = r.tenant and l.event_id = r.event_id) as index,
             case
               when exists (select from ${stopsOf('r.tenant', ROOT_RESTS_ON)}) then 'revoked'
               when r.expires_at <= clock_timestamp() then 'expired'
               else 'active' end as status
           from procura.root r where r.tenant = $1 and r.token_hash = any ($2::text[])`,
    values: [tenant, hashes],
  })
}

/** The totals of these accounts, each as its place keeps it. */
export async function totalsOf(
  { tenant, pool }: RowsOptions,
  accounts: readonly string[],
): Promise<BudgetState[]> {
  return await ask<BudgetState & Record<string, unknown>>(pool, {
    name: 'chain_totals',
    text: `select account, key, type, bound as limit, used, 0 as asked from procura.budget
           where tenant = $1 and account = any ($2::text[])
           order by account collate "C", key collate "C", type collate "C"`,
    values: [tenant, accounts],
  })
}

/** Names of agents by id; runs by the key they hold. */
export async function namesOf(
  { tenant, pool }: RowsOptions,
  { agents, keys }: { readonly agents: readonly string[]; readonly keys: readonly string[] },
) {
  const named = await ask<{ id: string; name: string }>(pool, {
    name: 'chain_agents',
    text: 'select id, name from procura.agent where tenant = $1 and id = any ($2::text[])',
    values: [tenant, agents],
  })
  const runs = await ask<{ id: InstanceId; jkt: string }>(pool, {
    name: 'chain_instances',
    text: 'select id, jkt from procura.instance where tenant = $1 and jkt = any ($2::text[])',
    values: [tenant, keys],
  })
  return {
    names: new Map(named.map(({ id, name }) => [id, name])),
    instances: new Map(runs.map(({ id, jkt }) => [jkt, id])),
  }
}

export interface ApprovalRow extends Record<string, unknown> {
  readonly id: ApprovalId
  readonly status: string
  readonly approver: string | null
  readonly decided_at: Date | null
}

export async function approvalOf(
  { tenant, pool }: RowsOptions,
  id: ApprovalId,
): Promise<ApprovalRow[]> {
  return await ask<ApprovalRow>(pool, {
    name: 'chain_approval',
    text: `select id, status, approver, decided_at from procura.approval
           where tenant = $1 and id = $2`,
    values: [tenant, id],
  })
}
