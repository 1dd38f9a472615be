/** What the database knows of a chain: who is still active, what was stopped, what is registered. */
import type { QueryConfig } from 'pg'
import type { ChainToken } from '../chain/token.ts'
import type { Standing } from '../chain/verified.ts'
import { stopsOf } from '../db/stops.ts'
import type { Model } from '../domain/agent.ts'
import type { AgentId, ConsentId, DelegationId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'

/** What to look up: a consent, and the agents, keys and hashes of its tokens. */
export interface Wanted {
  readonly consent: ConsentId
  readonly root: string
  readonly agents: readonly AgentId[]
  readonly keys: readonly string[]
  readonly hashes: readonly string[]
}

export interface State {
  readonly now: Date
  /** `null` where there is none. */
  readonly consent: ConsentRow | null
  readonly agents: Readonly<
    Record<string, { readonly sponsor: string; readonly is_active: boolean }>
  >
  /** By token hash. */
  readonly registered: Readonly<Record<string, DelegationId>>
  readonly is_root_known: boolean
  readonly policy_epoch: number | null
  /** By thumbprint, the runs whose key it is. */
  readonly instances: Readonly<
    Record<string, { readonly id: string; readonly agent: AgentId; readonly model: Model | null }>
  >
  readonly stops: readonly { readonly kind: string; readonly id: string }[]
}

interface ConsentRow {
  readonly sponsor: string
  readonly agent: string
  readonly is_withdrawn: boolean
  /** As the sponsor was shown them. */
  readonly terms: JsonObject & {
    readonly delegates: 'same_sponsor' | readonly AgentId[]
  }
}

export function wantedOf(tokens: readonly ChainToken[]): Wanted {
  const [root] = tokens
  if (root?.kind !== 'root') throw new TypeError('a chain begins with its root')
  return {
    ...{ consent: root.consentId, root: root.tokenHash },
    agents: tokens.map(({ clientId }) => clientId),
    keys: tokens.map(({ jkt }) => jkt),
    hashes: tokens.map(({ tokenHash }) => tokenHash),
  }
}

export function stateQuery(tenant: string, wanted: Wanted): QueryConfig {
  return {
    name: 'delegation_state',
    text: STATE,
    values: [
      ...[tenant, wanted.consent, wanted.root],
      ...[wanted.agents, wanted.keys, wanted.hashes],
    ],
  }
}

const RESTS_ON = `array[$2, $3] || $4::text[] || array(select sponsor from consent)
  || array(select id from instances) || array(select id from registered)`

const STATE = `
  with consent as (
    select sponsor, agent, terms, withdrawn_at is not null as is_withdrawn from procura.consent
    where tenant = $1 and id = $2
  ), agents as (
    select id, sponsor, status = 'active' as is_active from procura.agent
    where tenant = $1 and id = any ($4::text[])
  ), instances as (
    select id, agent, jkt, model from procura.instance where tenant = $1 and jkt = any ($5::text[])
  ), registered as (
    select id, token_hash from procura.delegation where tenant = $1 and token_hash = any ($6::text[])
  ), stops as (
    select stopped.kind, stopped.id from ${stopsOf('$1', RESTS_ON)}
  )
  select clock_timestamp() as now,
    (select to_jsonb(consent) from consent) as consent,
    coalesce((select jsonb_object_agg(id, to_jsonb(agents)) from agents), '{}') as agents,
    coalesce((select jsonb_object_agg(jkt, to_jsonb(instances)) from instances), '{}') as instances,
    coalesce((select jsonb_object_agg(token_hash, id) from registered), '{}') as registered,
    exists (select from procura.root where tenant = $1 and token_hash = $3) as is_root_known,
    (select value from procura.epoch where tenant = $1 and kind = 'policy') as policy_epoch,
    coalesce((select jsonb_agg(to_jsonb(stops)) from stops), '[]') as stops`

/**
 * Whether a token still stands, `null` being the consent with its sponsor. A hop that somebody has
 * received but never registered can be stopped through its agent and its key.
 */
export function standingIn(state: State): (token: ChainToken | null) => Standing {
  const isStopped = (kind: string, id: string | undefined) =>
    state.stops.some((stop) => stop.kind === kind && stop.id === id)
  return (token) => {
    if (token === null) {
      const { consent } = state
      // Of an agent that was retired its consents went with it: that is told at hop 0.
      const isGone =
        consent === null || (consent.is_withdrawn && !isStopped('agent', consent.agent))
      const isOver = state.stops.some(({ kind }) => kind === 'sponsor' || kind === 'consent')
      return isGone || isOver ? 'revoked' : 'good'
    }
    const { clientId, jkt, tokenHash, kind } = token
    const isOver =
      isStopped('agent', clientId) ||
      isStopped('instance', state.instances[jkt]?.id) ||
      (kind === 'root'
        ? isStopped('root', tokenHash) || state.agents[clientId]?.is_active !== true
        : isStopped('delegation', state.registered[tokenHash]))
    return isOver ? 'revoked' : 'good'
  }
}

/**
 * Who may receive a hop: an active agent that the consent admits. One that has received its hop and
 * was stopped since is admitted still; that it was stopped is told at its place.
 */
export function delegatesIn(state: State, tokens: readonly ChainToken[]) {
  const holders = tokens.flatMap(({ tokenHash, clientId }) =>
    Object.hasOwn(state.registered, tokenHash) ? [clientId] : [],
  )
  const delegates = state.consent?.terms.delegates ?? []
  return {
    has(agent: string): boolean {
      const known = state.agents[agent]
      if (known === undefined) return false
      const isAdmitted =
        delegates === 'same_sponsor'
          ? known.sponsor === state.consent?.sponsor
          : delegates.some((id) => id === agent)
      return isAdmitted && (known.is_active || holders.some((id) => id === agent))
    },
  }
}

/** The first token that is bound to a key which a run of another agent holds. */
export function misboundIn(state: State, tokens: readonly ChainToken[]): ChainToken | undefined {
  return tokens.find(({ jkt, clientId }) => {
    const holder = state.instances[jkt]
    return holder !== undefined && holder.agent !== clientId
  })
}
