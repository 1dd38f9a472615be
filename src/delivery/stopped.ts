/** Why a lease does not come about, or does not go on: what was stopped under it, and at which hop. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { stopsOf } from '../db/stops.ts'
import type { AgentId } from '../domain/ids.ts'
import type { Intent } from '../domain/lease.ts'
import { BrokerError, type Shown } from '../domain/problems.ts'
import type { Tx } from '../domain/tx.ts'
import { HELD_BY, type StopKind } from './leases.ts'

/** What of an intent says where it stands. */
export type Standing = Pick<
  Intent,
  'decision' | 'agent' | 'sponsor' | 'consent' | 'delegation' | 'revocationEpoch'
>

/** Who stands in the way: the sponsor and the consent are no hop. */
type Who = NonNullable<Shown['stoppedBy']>

/**
 * 403 `frozen`, or `chain_invalid` with the hop. At depth 0 the agent and its run are hop 0, and what
 * is below is looked up.
 */
export async function refusalFor(
  pool: Pick<Pool | Tx, 'query'>,
  tenant: string,
  standing: Standing,
  kind: StopKind,
): Promise<BrokerError> {
  const { decision } = standing
  const evaluation = { status: 'evaluated', unavailableInput: null } as const
  if (kind === 'frozen') {
    const stoppedBy = await heldBackAt(pool, tenant, standing)
    return new BrokerError('frozen', { shown: { stoppedBy, decision, evaluation } })
  }
  const stoppedBy = await stoppedAt(pool, tenant, standing, kind)
  const shown = { outcome: 'revoked', hop: stoppedBy.hop, stoppedBy, decision, evaluation }
  return new BrokerError('chain_invalid', { shown })
}

/**
 * The sponsor, the first agent on the path that is frozen, or who acts: of a tool, of everything, and of
 * the sponsor of somebody else's agent, nobody on the path is to blame.
 */
async function heldBackAt(
  pool: Pick<Pool | Tx, 'query'>,
  tenant: string,
  { delegation, agent, sponsor }: Standing,
): Promise<Who> {
  const [found] = await ask<{ agents: readonly AgentId[]; frozen: readonly string[] }>(pool, {
    name: 'lease_frozen_at',
    text: `select p.agents, array(select scope from procura.freeze
        where tenant = $1 and lifted_at is null and scope = any (array['', $4] || p.agents)) as frozen
      from (select coalesce((select agents from procura.delegation where tenant = $1 and id = $2),
        array[$3]) as agents) p`,
    values: [tenant, delegation, agent, sponsor],
  })
  const { agents, frozen } = found ?? { agents: [agent], frozen: [] }
  const leaf = { hop: agents.length - 1, kind: 'agent', id: agent }
  if (frozen.includes('')) return leaf
  if (frozen.includes(sponsor)) return { hop: null, kind: 'sponsor', id: sponsor }
  const at = agents.findIndex((id) => frozen.includes(id))
  return at < 0 ? leaf : { hop: at, kind: 'agent', id: agents[at] ?? agent }
}

async function stoppedAt(
  pool: Pick<Pool | Tx, 'query'>,
  tenant: string,
  standing: Standing,
  kind: Exclude<StopKind, 'frozen'>,
): Promise<Who> {
  const { sponsor, consent, delegation, agent } = standing
  if (kind === 'sponsor') return { hop: null, kind, id: sponsor }
  if (kind === 'consent') return { hop: null, kind, id: consent }
  if (delegation === null) return { hop: 0, kind: 'agent', id: agent }
  return await placeOf(pool, tenant, standing)
}

/** The one nearest to the consent of all that was stopped; the leaf, where it is not on the path. */
async function placeOf(
  pool: Pick<Pool | Tx, 'query'>,
  tenant: string,
  { delegation, revocationEpoch, agent }: Standing,
): Promise<Who> {
  const [found] = await ask<{ hop: number | null; depth: number; at: AgentId }>(pool, {
    name: 'lease_stopped_at',
    text: `select h.hop, d.depth, d.agents[coalesce(h.hop, d.depth) + 1] as at
      from procura.delegation d, lateral (
        select min(coalesce(array_position(d.path, stopped.id), array_position(d.agents, stopped.id) - 1,
          array_position(d.keys, stopped.id) - 1, case when stopped.id = d.root then 0 end)) as hop
        from ${stopsOf('$1', 'd.path || d.agents || d.keys || d.root')} where stopped.epoch > $3) h
      where d.tenant = $1 and d.id = $2`,
    values: [tenant, delegation, revocationEpoch],
  })
  return { hop: found?.hop ?? found?.depth ?? 0, kind: 'agent', id: found?.at ?? agent }
}

/** What, if anything, was stopped under a lease since it was decided, or is frozen now. */
export async function stopUnder(
  tx: Pick<Tx, 'query'>,
  tenant: string,
  lease: string,
): Promise<StopKind | null> {
  const { rows } = await tx.query<{ kind: StopKind }>(
    `select ${HELD_BY} as kind
     from procura.lease l where l.tenant = $1 and l.id = $2`,
    [tenant, lease],
  )
  return rows[0]?.kind ?? null
}
