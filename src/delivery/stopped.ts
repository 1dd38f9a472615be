/** Why a lease does not come about, or does not go on: what was stopped under it, and at which hop. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
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

/** The hop that something below the consent stands at, on the path of a delegation. */
interface Place {
  readonly hop: number
  readonly agent: AgentId
}

/** The refusal: at depth 0 the agent and its run are hop 0, and what is below is looked up. */
export async function refusalFor(
  pool: Pick<Pool | Tx, 'query'>,
  tenant: string,
  standing: Standing,
  kind: StopKind,
): Promise<BrokerError> {
  const isBelow = standing.delegation !== null
  return stoppedBy(standing, kind, isBelow ? await placeOf(pool, tenant, standing) : undefined)
}

/** 403 `frozen`, or `chain_invalid` with the hop: the sponsor and the consent are none. */
export function stoppedBy(
  {
    decision,
    agent,
    sponsor,
    consent,
  }: Pick<Standing, 'decision' | 'agent' | 'sponsor' | 'consent'>,
  kind: StopKind,
  place: Place = { hop: 0, agent },
): BrokerError {
  const evaluation = { status: 'evaluated', unavailableInput: null } as const
  const atHop = { hop: place.hop, kind: 'agent', id: place.agent }
  if (kind === 'frozen') {
    return new BrokerError('frozen', { shown: { stoppedBy: atHop, decision, evaluation } })
  }
  const who: NonNullable<Shown['stoppedBy']> =
    kind === 'sponsor' || kind === 'consent'
      ? { hop: null, kind, id: kind === 'sponsor' ? sponsor : consent }
      : atHop
  const shown = { outcome: 'revoked', hop: who.hop, stoppedBy: who, decision, evaluation }
  return new BrokerError('chain_invalid', { shown })
}

/** The one nearest to the consent of all that was stopped; the leaf, where it is not on the path. */
async function placeOf(
  pool: Pick<Pool | Tx, 'query'>,
  tenant: string,
  { delegation, revocationEpoch, agent }: Standing,
): Promise<Place> {
  const [found] = await ask<{ hop: number | null; depth: number; at: AgentId }>(pool, {
    name: 'lease_stopped_at',
    text: `select h.hop, d.depth, d.agents[coalesce(h.hop, d.depth) + 1] as at
      from procura.delegation d, lateral (
        select min(coalesce(array_position(d.path, s.id), array_position(d.agents, s.id) - 1,
          array_position(d.keys, s.id) - 1, case when s.id = d.root then 0 end)) as hop
        from procura.stop s
        where s.tenant = $1 and s.epoch > $3
          and s.id = any (d.path || d.agents || d.keys || d.root)) h
      where d.tenant = $1 and d.id = $2`,
    values: [tenant, delegation, revocationEpoch],
  })
  return { hop: found?.hop ?? found?.depth ?? 0, agent: found?.at ?? agent }
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
