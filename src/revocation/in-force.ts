/** Does what a decision rests on still hold, at this very moment? */
import { rowsOf } from '../db/each.ts'
import type { Decision } from '../domain/decision.ts'
import type { Deciding } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Rowwise, Tx } from '../domain/tx.ts'
import { type Resting, type State, stopOf } from './stop-of.ts'

export interface InForce {
  readonly inForce: Deciding['revocation']['inForce']
}

/**
 * Asks in the transaction that records the decision, which has its turn: what was stopped before is
 * seen, and what is stopped later finds the decision on record.
 *
 * @throws BrokerError `decision_stale` when other policies have come into force meanwhile
 */
export function createInForce(tenant: string): InForce {
  return {
    async inForce(tx, { chain, call, policyEpoch }: Decision) {
      const found = await stateOf(tx, tenant, chain, [call.tool.name])
      if (found.policy_epoch !== policyEpoch) {
        throw new BrokerError('decision_stale', { shown: { reason: 'policy_epoch' } })
      }
      return { stop: stopOf(chain, found, tx.now), epoch: found.revocation_epoch }
    },
  }
}

interface Found extends State {
  readonly policy_epoch: number | null
  readonly revocation_epoch: number
}

async function stateOf(
  tx: Tx,
  tenant: string,
  { consent, hops, session }: Resting,
  tools: readonly string[],
): Promise<Found> {
  const agents = hops.map(({ agent }) => agent)
  const through = hops.flatMap((it) => [it.agent, it.instance, it.jkt, it.delegation, it.tokenHash])
  const on = [consent.sponsor, consent.id, ...through, session].filter((id) => id !== null)
  const state = await tx.each<Found>(inForce(tenant), {
    ...{ consent: consent.id, agents, rests_on: on },
    scopes: ['', consent.sponsor, ...agents, ...tools],
  })
  if (state === null) throw new Error('the database did not say what is in force')
  return state
}

/** No two kinds of thing share an id: what is stopped, and what is frozen, is told by that alone. */
const inForce = (tenant: string): Rowwise => ({
  name: 'revocation_in_force',
  text: `with epoch as (
      select max(value) filter (where kind = 'policy') as policy_epoch,
        coalesce(max(value) filter (where kind = 'revocation'), 0) as revocation_epoch
      from procura.epoch where tenant = $2
    )
    select r.n, e.policy_epoch, e.revocation_epoch,
      array(select id from procura.stop where tenant = r.tenant and id = any (r.rests_on)) as stopped,
      array(select agent from unnest(r.agents) agent
            where not exists (select from procura.agent a
              where a.tenant = r.tenant and a.id = agent and a.status = 'active')) as retired,
      array(select scope from procura.freeze where tenant = $2 and lifted_at is null
              and (scope = any (r.scopes) or scope in (
                select sponsor from procura.agent where tenant = r.tenant and id = any (r.agents)))) as frozen,
      c.withdrawn_at is not null as is_withdrawn, c.expires_at
    from ${rowsOf('consent text, agents text[], rests_on text[], scopes text[]')}
    cross join epoch e
    left join procura.consent c on c.tenant = r.tenant and c.id = r.consent`,
  values: [tenant],
})
