/** What is alive under something: counted before it is stopped, and stopped with it. */
import type { QueryConfig } from 'pg'
import { stopsOf } from '../db/stops.ts'
import type { StopKind } from '../domain/entry.ts'
import type { AgentId } from '../domain/ids.ts'

/** `under` is the id of what it rests on, `null` where that is the thing itself, or above it. */
export interface Reached {
  readonly kind: 'consent' | 'root' | 'session' | 'delegation' | 'credential' | 'approval'
  readonly id: string
  readonly under: string | null
  readonly agent: AgentId
  readonly expiresAt: Date
}

export interface ReachedRow extends Record<string, unknown> {
  readonly kind: Reached['kind']
  readonly id: string
  readonly under: string | null
  readonly agent: AgentId
  readonly expires_at: Date
}

export const reachedOf = ({ expires_at: expiresAt, ...row }: ReachedRow): Reached => {
  const { kind, id, under, agent } = row
  return { kind, id, under, agent, expiresAt }
}

/**
 * How many of each kind are told, consents apart. A stop rests on no list: whatever is under it is held
 * against it by its ids. So no list may be as long as to stand in its way.
 */
const REACHED_MAX = 5000

/**
 * What is alive under it, and was not stopped before: at most so many of a kind.
 *
 * @param id what a session is called here is its `jti`, a root the hash of its token
 * @param now `null`: the database's
 */
export function reachOf(tenant: string, kind: StopKind, id: string, now: Date | null): QueryConfig {
  return { name: `revocation_reach_${kind}`, text: REACH[kind], values: [tenant, id, now] }
}

/** Conditions, of what belongs to `$2`. Whatever rests on a hop goes with the hop. */
interface Of {
  readonly consent?: string
  readonly root?: string
  readonly hop?: string
  readonly session?: string
  readonly lease?: string
  readonly approval?: string
}

const CONSENTS = 'select id from procura.consent where tenant = $1 and'
const AGENTS = 'select id from procura.agent where tenant = $1 and sponsor = $2'

const OF: Readonly<Record<StopKind, Of>> = {
  credential: { lease: 'l.id = $2' },
  session: { session: 's.jti = $2' },
  delegation: { hop: 'd.path @> array[$2]' },
  root: { root: 'r.token_hash = $2', hop: 'd.root = $2' },
  instance: {
    root: 'r.instance = $2',
    hop: 'd.keys && array(select jkt from procura.instance where tenant = $1 and id = $2)',
    session: 's.delegation is null and s.instance = $2',
    lease: 'l.delegation is null and l.instance = $2',
    approval: 'x.delegation is null and x.instance = $2',
  },
  consent: {
    consent: 'c.id = $2',
    root: 'r.consent = $2',
    hop: 'd.consent = $2',
    session: 's.delegation is null and s.consent = $2',
    lease: 'l.delegation is null and l.consent = $2',
    approval: 'x.delegation is null and a.consent = $2',
  },
  agent: {
    consent: 'c.agent = $2',
    root: `r.consent in (${CONSENTS} agent = $2)`,
    hop: 'd.agents @> array[$2]',
    session: 's.delegation is null and s.agent = $2',
    lease: 'l.delegation is null and l.agent = $2',
    approval: 'x.delegation is null and a.agent = $2',
  },
  sponsor: {
    consent: 'c.sponsor = $2',
    root: `r.consent in (${CONSENTS} sponsor = $2)`,
    hop: `d.consent = any (array(${CONSENTS} sponsor = $2)) or d.agents && array(${AGENTS})`,
    session: `s.delegation is null and s.consent in (${CONSENTS} sponsor = $2)`,
    lease: 'l.delegation is null and l.sponsor = $2',
    approval: 'x.delegation is null and a.sponsor = $2',
  },
}

const unstopped = (ids: string) => `not exists (select from ${stopsOf('$1', ids)})`

/** As stops are: each by the hop that it rests on, whatever the plan was made for. */
const ofHop = (table: 'session' | 'lease') =>
  `(select x.* from procura.${table} x where x.tenant = $1 and x.delegation = hop.id offset 0)`

function reach({ consent, root, hop, session, lease, approval }: Of): string {
  return `with time as materialized (select coalesce($3::timestamptz, clock_timestamp()) as now),
    hop as materialized (
      select d.* from procura.delegation d, time
      where d.tenant = $1 and (${hop ?? 'false'}) and d.expires_at > now
        and ${unstopped('d.path || d.agents || d.keys || array[d.root, d.consent, d.sponsor]')}
      limit ${String(REACHED_MAX)}
    )
    select 'consent' as kind, c.id, null as under, c.agent, c.expires_at from procura.consent c
    where c.tenant = $1 and ${consent ?? 'false'} and c.withdrawn_at is null
    union all
    (select 'root', r.token_hash, r.consent, r.agent, r.expires_at from procura.root r, time
    where r.tenant = $1 and ${root ?? 'false'} and r.expires_at > now
      and ${unstopped('array[r.token_hash, r.consent, r.instance, r.agent, r.sponsor]')}
    limit ${String(REACHED_MAX)})
    union all
    select 'delegation', d.id, case when d.depth = 1 then d.root else d.path[d.depth - 1] end,
      d.agent, d.expires_at from hop d
    union all
    (select 'session', s.jti, coalesce(s.delegation, s.consent), s.agent, s.expires_at from (
      select s.* from procura.session s where s.tenant = $1 and ${session ?? 'false'}
      union all select s.* from hop, lateral ${ofHop('session')} s
    ) s, time
    where s.expires_at > now and ${unstopped('array[s.jti, s.consent, s.instance, s.agent]')}
    limit ${String(REACHED_MAX)})
    union all
    (select 'credential', l.id, coalesce(l.delegation, l.consent), l.agent, l.expires_at from (
      select l.id, l.delegation, l.consent, l.agent, l.expires_at from procura.lease l
      where l.tenant = $1 and l.due_at is not null and ${lease ?? 'false'}
      union select l.id, l.delegation, l.consent, l.agent, l.expires_at
      from hop, lateral ${ofHop('lease')} l where l.due_at is not null
    ) l
    limit ${String(REACHED_MAX)})
    union all
    select 'approval', a.id, coalesce(x.delegation, a.consent), a.agent, a.expires_at
    from time, procura.approval a
      left join procura.decision x on x.tenant = $1 and x.id = a.decision
    where a.tenant = $1 and a.status = 'pending' and a.expires_at > now
      and ((${approval ?? 'false'}) or x.delegation in (select id from hop))`
}

const REACH = Object.fromEntries(
  Object.entries(OF).map(([kind, of]) => [kind, reach(of)]),
) as Readonly<Record<StopKind, string>>

/** Whether there may be more leases under it than were told. */
export const isCut = ({ credentials = 0, delegations = 0 }: Readonly<Record<string, number>>) =>
  credentials >= REACHED_MAX || delegations >= REACHED_MAX

/**
 * How many leases under it are not over, some thousands at most.
 *
 * @param at when it was stopped: under a hop that was over by then there were none
 */
export function liveOf(
  tenant: string,
  { kind, id, at }: { readonly kind: StopKind; readonly id: string; readonly at: Date },
): QueryConfig {
  return { name: `revocation_live_${kind}`, text: live(OF[kind]), values: [tenant, id, at] }
}

const live = ({ lease, hop }: Of) => `with hop as (
    select d.id from procura.delegation d
    where d.tenant = $1 and (${hop ?? 'false'}) and d.expires_at > $3::timestamptz
  ), live as (
    (select l.id from procura.lease l
    where l.tenant = $1 and l.due_at is not null and (${lease ?? 'false'})
    limit ${String(REACHED_MAX)})
    union
    (select l.id from hop, lateral (
      select x.id from procura.lease x
      where x.tenant = $1 and x.delegation = hop.id and x.due_at is not null offset 0
    ) l
    limit ${String(REACHED_MAX)})
  )
  select count(*)::int as live from live`
