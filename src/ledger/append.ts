/** One statement that appends a batch, with all that lies beside it: it is all there, or none of it. */
import type { JsonObject } from '../domain/json.ts'
import type { Tx } from '../domain/tx.ts'
import type { Leaves } from './leaves.ts'

/** Each side appends through its own, which takes its own events only. */
export type Door = 'append_registered' | 'append_decided' | 'append_issued'

export interface Appending extends Pick<Leaves, 'leaves' | 'sealed' | 'decisions'> {
  readonly tenant: string
  readonly door: Door
  readonly first: number
  /** What is kept under request keys. */
  readonly keys: readonly JsonObject[]
}

/** Appends; the places, among `keys`, of those that were free, and are kept now. */
export async function append(
  tx: Tx,
  { tenant, door, first, leaves, sealed, decisions, keys }: Appending,
): Promise<ReadonlySet<number>> {
  const beside = PARTS.filter(({ of }) => ({ sealed, decisions, keys })[of].length > 0)
  const parts = beside.map(({ text }) => text).join(', ')
  const isKeyed = keys.length > 0
  const { rows } = await tx.query<{ kept: number[] | null }>({
    name: [door, ...beside.map(({ of }) => of)].join(' '),
    text: `${parts && `with beside as (select $4::jsonb as beside), ${parts}`}
      select ledger.${door}($1, $2, $3::text[]),
        ${isKeyed ? 'array(select k.n from keys k join kept using (caller, route, key))' : 'null'} as kept
      ${parts ? '' : `where $4::jsonb is not null`}`,
    values: [
      ...[tenant, first, leaves.map(({ text }) => text)],
      JSON.stringify({ sealed, decisions, keys: keys.map((key, n) => ({ n, ...key })) }),
    ],
  })
  return new Set(rows[0]?.kept ?? [])
}

const PARTS = [
  {
    of: 'sealed',
    text: `sealed as (
      insert into procura.sealed_payload (tenant, id, wrapped_key, nonce, ciphertext)
      select $1, id, decode(wrapped_key, 'base64'), decode(nonce, 'base64'), decode(ciphertext, 'base64')
      from beside, jsonb_to_recordset(beside -> 'sealed')
        as r (id text, wrapped_key text, nonce text, ciphertext text))`,
  },
  {
    of: 'decisions',
    text: `decisions as (
      insert into procura.decision (tenant, id, at, face, answer, sponsor, agent, instance,
        consent, delegation, credential, approval, event_id, snapshot)
      select $1, id, at, face, answer, sponsor, agent, instance,
        consent, delegation, credential, approval, event_id, id
      from beside, jsonb_to_recordset(beside -> 'decisions') as r (id text, at timestamptz, face text,
        answer text, sponsor text, agent text, instance text, consent text, delegation text,
        credential text, approval text, event_id text))`,
  },
  {
    // Of those that come with the same key at once, the first is kept.
    of: 'keys',
    text: `keys as (
      select distinct on (caller, route, key) r.*
      from beside, jsonb_to_recordset(beside -> 'keys')
        as r (n int, caller text, route text, key text, fingerprint text, answer jsonb)
      order by caller, route, key, n
    ), kept as (
      insert into procura.request_key (tenant, caller, route, key, fingerprint, answer)
      select $1, caller, route, key, fingerprint, answer from keys
      on conflict do nothing returning caller, route, key)`,
  },
] as const
