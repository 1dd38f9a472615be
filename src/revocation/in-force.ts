/** Does what a decision rests on still hold, at this very moment? */
import { type Chain, leafOf } from '../domain/chain.ts'
import type { Decision, Deny, StoppedBy } from '../domain/decision.ts'
import type { Deciding } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Rowwise, Tx } from '../domain/tx.ts'

/**
 * Asks in the transaction that records the decision, which has its turn: what was stopped before is
 * seen, and what is stopped later finds the decision on record.
 *
 * @throws BrokerError `decision_stale` when other policies have come into force meanwhile
 */
export function createInForce(tenant: string): Deciding['revocation']['inForce'] {
  return async (tx, decision) => {
    const { chain } = decision
    const found = await stateOf(tx, tenant, decision)
    if (found.policy_epoch !== decision.policyEpoch) {
      throw new BrokerError('decision_stale', { shown: { reason: 'policy_epoch' } })
    }
    return { stop: stopOf(chain, found, tx.now), epoch: found.revocation_epoch }
  }
}

interface State {
  readonly policy_epoch: number | null
  readonly revocation_epoch: number
  readonly stopped: readonly { readonly kind: string; readonly id: string }[]
  /** Those that are not active, or not there. */
  readonly retired: readonly string[]
  readonly is_withdrawn: boolean | null
  readonly expires_at: Date | null
}

async function stateOf(tx: Tx, tenant: string, { chain }: Decision): Promise<State> {
  const { consent, hops } = chain
  const state = await tx.each<State>(inForce(tenant), {
    ...{ sponsor: consent.sponsor, consent: consent.id, agents: hops.map(({ agent }) => agent) },
    instances: hops.flatMap(({ instance }) => (instance === null ? [] : [instance])),
  })
  if (state === null) throw new Error('the database did not say what is in force')
  return state
}

const inForce = (tenant: string): Rowwise => ({
  name: 'revocation_in_force',
  text: `with epoch as (
      select max(value) filter (where kind = 'policy') as policy_epoch,
        coalesce(max(value) filter (where kind = 'revocation'), 0) as revocation_epoch
      from procura.epoch where tenant = $2
    )
    select r.n, e.policy_epoch, e.revocation_epoch,
      coalesce((select jsonb_agg(jsonb_build_object('kind', kind, 'id', id)) from procura.stop
                where tenant = $2 and ((kind = 'sponsor' and id = r.sponsor)
                  or (kind = 'consent' and id = r.consent)
                  or (kind = 'agent' and id = any (r.agents))
                  or (kind = 'instance' and id = any (r.instances)))), '[]') as stopped,
      array(select agent from unnest(r.agents) agent
            where not exists (select from procura.agent a
              where a.tenant = $2 and a.id = agent and a.status = 'active')) as retired,
      c.withdrawn_at is not null as is_withdrawn, c.expires_at
    from jsonb_to_recordset($1::jsonb)
      as r (n int, sponsor text, consent text, agents text[], instances text[])
    cross join epoch e
    left join procura.consent c on c.tenant = $2 and c.id = r.consent`,
  values: [tenant],
})

/** The first that does not hold: the session's time, then what was stopped, from the sponsor down. */
function stopOf(chain: Chain, state: State, now: Date): Deny | null {
  const { consent, hops } = chain
  const leaf = leafOf(chain)
  if (leaf.expiresAt <= now) {
    return ended('expired', { hop: leaf.depth, kind: 'agent', id: leaf.agent })
  }
  const isStopped = (kind: string, id: string | null) =>
    state.stopped.some((stop) => stop.kind === kind && stop.id === id)
  if (isStopped('sponsor', consent.sponsor)) {
    return ended('revoked', { hop: null, kind: 'sponsor', id: consent.sponsor })
  }
  const ofConsent = { hop: null, kind: 'consent', id: consent.id } as const
  if (isStopped('consent', consent.id) || state.is_withdrawn !== false) {
    return ended('revoked', ofConsent)
  }
  const gone = hops.find(
    ({ agent, instance }) =>
      isStopped('agent', agent) || state.retired.includes(agent) || isStopped('instance', instance),
  )
  if (gone) return ended('revoked', { hop: gone.depth, kind: 'agent', id: gone.agent })
  const isOver = state.expires_at === null || state.expires_at <= now
  return isOver ? ended('expired', ofConsent) : null
}

const NAMES = { sponsor: 'sponsor', consent: 'consent', agent: 'agent' } as const

function ended(outcome: 'revoked' | 'expired', stoppedBy: StoppedBy): Deny {
  const what = NAMES[stoppedBy.kind]
  const detail =
    outcome === 'revoked' ? `the ${what} was stopped` : `the time of the ${what} is over`
  return { kind: 'deny', code: 'chain_invalid', rules: [], stoppedBy, outcome, detail }
}
