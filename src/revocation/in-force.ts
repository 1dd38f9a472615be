/** Does what a decision rests on still hold, at this very moment? If so, what it spends is spent with it. */
import { rowsOf } from '../db/each.ts'
import { stopsOf } from '../db/stops.ts'
import type { Debited, Decision } from '../domain/decision.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Deciding } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Rowwise, Tx } from '../domain/tx.ts'
import { type State, stopOf } from './stop-of.ts'

export type InForce = Pick<Deciding['revocation'], 'inForce' | 'debitInForce'>

/**
 * Asks in the transaction that records the decision, which has its turn: what was stopped before is
 * seen, and what is stopped later finds the decision on record. Both methods throw `decision_stale`
 * when other policies have come into force meanwhile.
 */
export function createInForce(tenant: string): InForce {
  const look = async (tx: Tx, decision: Decision, debits: JsonObject[]) => {
    const { chain, policyEpoch } = decision
    const row = rowOf(decision, debits)
    const found = await tx.each<Found>(inForce(tenant), row)
    if (found === null) throw new Error('the database did not say what is in force')
    if (found.policy_epoch !== policyEpoch) {
      throw new BrokerError('decision_stale', { shown: { reason: 'policy_epoch' } })
    }
    const stop = stopOf(chain, found, found.now)
    const isDebited = found.debited !== null
    if (isDebited !== (stop === null && debits.length > 0)) {
      throw new Error('the database judges otherwise whether a decision holds')
    }
    return { stop, epoch: found.revocation_epoch, debited: found.debited ?? [] }
  }
  return {
    async inForce(tx, decision) {
      const { stop, epoch } = await look(tx, decision, [])
      return { stop, epoch }
    },
    debitInForce(tx, decision) {
      const isAllow = decision.answer.kind === 'allow'
      return look(tx, decision, isAllow ? decision.debits.map((debit) => ({ ...debit })) : [])
    },
  }
}

interface Found extends State {
  /** By which it is judged whether something is over: later than the turn's, and in ms, as here. */
  readonly now: Date
  readonly policy_epoch: number | null
  readonly revocation_epoch: number
  /** In the order asked for; `null` where nothing was tried. */
  readonly debited: readonly Debited[] | null
}

function rowOf({ id, chain, call }: Decision, debits: JsonObject[]): JsonObject {
  const { consent, hops, session } = chain
  const agents = hops.map(({ agent }) => agent)
  const through = hops.flatMap((it) => [it.agent, it.instance, it.jkt, it.delegation, it.tokenHash])
  const ends = hops.map(({ expiresAt }) => expiresAt.getTime())
  return {
    ...{ consent: consent.id, agents, scopes: ['', consent.sponsor, ...agents, call.tool.name] },
    rests_on: [consent.sponsor, consent.id, ...through, session].filter((it) => it !== null),
    ...{ until: new Date(Math.min(...ends)).toISOString(), decision: id },
    debits: debits.length === 0 ? null : debits,
  }
}

/**
 * No two kinds of thing share an id: what is stopped, and what is frozen, is told by that alone. Debits
 * are made in the order in which the decisions came, of those that hold.
 */
const inForce = (tenant: string): Rowwise => ({
  name: 'decision_in_force',
  text: `with epoch as (
      select max(value) filter (where kind = 'policy') as policy_epoch,
        coalesce(max(value) filter (where kind = 'revocation'), 0) as revocation_epoch,
        date_trunc('milliseconds', clock_timestamp()) as now
      from procura.epoch where tenant = $2
    ), found as (
      select r.n, r.decision, r.debits, r.until, e.now, e.policy_epoch, e.revocation_epoch,
        array(select stopped.id from ${stopsOf('r.tenant', 'r.rests_on')}) as stopped,
        array(select agent from unnest(r.agents) agent
              where not exists (select from procura.agent a
                where a.tenant = r.tenant and a.id = agent and a.status = 'active')) as retired,
        array(select scope from procura.freeze where tenant = $2 and lifted_at is null
                and (scope = any (r.scopes) or scope in (
                  select sponsor from procura.agent
                  where tenant = r.tenant and id = any (r.agents)))) as frozen,
        c.withdrawn_at is not null as is_withdrawn,
        date_trunc('milliseconds', c.expires_at) as expires_at
      from ${rowsOf(`consent text, agents text[], rests_on text[], scopes text[],
        until timestamptz, decision text, debits jsonb`)}
      cross join epoch e
      left join procura.consent c on c.tenant = r.tenant and c.id = r.consent
    ), debited as materialized (
      select * from procura.debit($2, (
        select jsonb_agg(jsonb_build_object('n', n, 'decision', decision, 'debits', debits) order by n)
        from found
        where debits is not null and (stopped || retired || frozen) = '{}' and not is_withdrawn
          and expires_at > now and until > now))
    )
    select n, now, policy_epoch, revocation_epoch, stopped, retired, frozen, is_withdrawn, expires_at,
      (select jsonb_agg(
         jsonb_build_object('bound', bound, 'used', used, 'usedAfter', used_after) order by nth)
       from debited d where d.n = found.n) as debited
    from found`,
  values: [tenant],
})
