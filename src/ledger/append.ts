/** One statement that appends a batch, with all that lies beside it: it is all there, or none of it. */
import type { QueryConfig } from 'pg'
import type { JsonObject } from '../domain/json.ts'
import type { Leaves } from './leaves.ts'

/** Each side appends through its own, which takes its own events only. */
export type Door = 'append_registered' | 'append_decided' | 'append_issued'

export interface Appending extends Pick<Leaves, 'leaves' | 'sealed' | 'decisions'> {
  readonly tenant: string
  readonly door: Door
  readonly first: number
  /** What is kept under request keys. A key that is taken fails the statement. */
  readonly keys: readonly JsonObject[]
}

/** The statement that appends; `null` where there is nothing to append. */
export function appending(rows: Appending): QueryConfig | null {
  const { tenant, door, first, leaves, sealed, decisions, keys } = rows
  if (leaves.length === 0 && keys.length === 0) return null
  const beside = PARTS.filter(({ of }) => rows[of].length > 0)
  const parts = beside.map(({ text }) => text).join(', ')
  return {
    name: [door, ...beside.map(({ of }) => of)].join(' '),
    text: `${parts && `with beside as (select $4::jsonb as beside), ${parts}`}
      select ledger.${door}($1, $2, string_to_array($3, E'\\n')) ${parts ? '' : `where $4::jsonb is not null`}`,
    values: [
      // No canonical text has a line break in it, and so nothing need be quoted.
      ...[tenant, first, leaves.map(({ text }) => text).join('\n')],
      JSON.stringify({ sealed, decisions, keys }),
    ],
  }
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
        consent, delegation, credential, target, approval, canary, event_id, snapshot)
      select $1, id, at, face, answer, sponsor, agent, instance,
        consent, delegation, credential, target, approval, canary, event_id, id
      from beside, jsonb_to_recordset(beside -> 'decisions') as r (id text, at timestamptz, face text,
        answer text, sponsor text, agent text, instance text, consent text, delegation text,
        credential text, target text, approval text, canary boolean, event_id text))`,
  },
  {
    of: 'keys',
    text: `keys as (
      insert into procura.request_key (tenant, caller, route, key, fingerprint, answer)
      select $1, caller, route, key, fingerprint, answer
      from beside, jsonb_to_recordset(beside -> 'keys')
        as r (caller text, route text, key text, fingerprint text, answer jsonb))`,
  },
] as const
