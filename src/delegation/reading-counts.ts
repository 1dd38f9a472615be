/** What was done under a consent and under each hop: asked and answered, issued and still alive. */
import { ask } from '../db/ask.ts'
import type { AgentId, ConsentId } from '../domain/ids.ts'
import type { RowsOptions } from './reading-rows.ts'

export interface Done {
  /** What was asked for; trying and asking about it (explain, AuthZEN) are not counted. */
  readonly decisions: Readonly<Record<'allow' | 'ask' | 'deny' | 'none', number>>
  readonly credentials: { readonly issued: number; readonly live: number }
}

interface Counted extends Record<string, unknown> {
  readonly node: string
  readonly what: 'allow' | 'ask' | 'deny' | 'none' | 'issued' | 'live'
  readonly n: number
}

/** By the id of the consent and of each of these hops; each with all that is below it. */
export async function doneUnder(
  { tenant, pool }: RowsOptions,
  of: { readonly consent: ConsentId; readonly agent: AgentId; readonly hops: readonly string[] },
): Promise<(node: string) => Done> {
  const rows = await ask<Counted>(pool, {
    name: 'chain_done',
    text: COUNTS,
    values: [tenant, of.consent, of.agent, of.hops],
  })
  return (node) => {
    const own = rows.filter((row) => row.node === node)
    const count = (what: Counted['what']) => own.find((row) => row.what === what)?.n ?? 0
    return {
      decisions: {
        ...{ allow: count('allow'), ask: count('ask') },
        ...{ deny: count('deny'), none: count('none') },
      },
      credentials: { issued: count('issued'), live: count('live') },
    }
  }
}

const COUNTS = `
  with asked as materialized (
    select d.delegation, d.answer from procura.decision d
    join ledger.leaf l on l.tenant = d.tenant and l.event_id = d.event_id
    where d.tenant = $1 and d.consent = $2 and d.face = 'native' and d.agent in (
      select $3 union select agent from procura.delegation where tenant = $1 and consent = $2)
      and l.event_type = 'decision'
  ), made as materialized (
    select delegation, state in ('minting', 'active', 'revoke_pending') as is_live
    from procura.lease where tenant = $1 and consent = $2 and event_id is not null
  ), place as (
    select n.node, d.id from unnest($4::text[]) as n (node)
    join procura.delegation d on d.tenant = $1 and d.path @> array[n.node]
  )
  select $2 as node, answer as what, count(*)::int as n from asked group by answer
  union all
  select p.node, a.answer, count(*)::int from place p join asked a on a.delegation = p.id
  group by p.node, a.answer
  union all
  select $2, w.what, count(*)::int from made m join (values ('issued'), ('live')) w (what)
    on w.what = 'issued' or m.is_live group by w.what
  union all
  select p.node, w.what, count(*)::int from place p join made m on m.delegation = p.id
  join (values ('issued'), ('live')) w (what) on w.what = 'issued' or m.is_live
  group by p.node, w.what`
