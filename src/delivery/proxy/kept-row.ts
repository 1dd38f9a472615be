/** The row of a token that is kept. The database gives it out, and takes it, for a lease that needs it. */
import type { Pool } from 'pg'
import { ask } from '../../db/ask.ts'
import { STANDS } from '../leases.ts'
import type { SealedRow } from '../envelope.ts'
import type { Effect } from './token-endpoint.ts'

/** Which token, and the name of the lease that it is for. */
export interface For {
  readonly target: string
  readonly lease: string
  /** Stands for those that it is asked for with: one for others is not used. */
  readonly settings: string
}

export interface KeptRow {
  readonly now: Date
  /** Another with each token that is stored; `null`: there is no row yet. */
  readonly generation: number | null
  readonly failures: number | null
  /** Which settings its token was asked for with. */
  readonly settings: string | null
  readonly is_usable: boolean | null
  readonly failed_at: Date | null
  /** The settings with which the refresh token is not taken any more, each of them. */
  readonly refused_for: readonly string[] | null
}

/** What was there when it was looked at: of many who have seen the same, one begins. */
export type Seen = Pick<KeptRow, 'generation' | 'failures'>

export type Sealed = { readonly [column in keyof SealedRow]: SealedRow[column] | null }

/** What whoever is the one to ask has to ask with. */
export type Begun = Sealed & {
  readonly is_begun: true
  readonly generation: number
  /** One before may have used the refresh token up. */
  readonly was_unanswered: boolean
  readonly secret_key_version: string
  readonly secret_wrapped_key: Buffer | null
  readonly secret_nonce: Buffer
  readonly secret_ciphertext: Buffer
}

export interface Storing {
  readonly generation: number
  /** `null`: there is no access token in it. */
  readonly usableMs: number | null
  readonly sealed: SealedRow
}

export interface KeptRows {
  read(of: For): Promise<KeptRow & Sealed>
  /** `null`: its lease does not stand any more, or nothing on record needs a token for it. */
  begin(of: For, from: Seen, claim: Claim): Promise<Begun | { is_begun: false } | null>
  /** `null`: somebody else has stored one meanwhile. */
  store(of: For, it: Storing): Promise<number | null>
  /** False: it is another's turn by now. */
  end(of: For, claim: string, effect: Effect): Promise<boolean>
  /** No more to be used, if it is older than that. */
  drop(of: For, generation: number, olderThanMs: number): Promise<void>
}

export interface Claim {
  readonly id: string
  /** Then whoever comes may begin. */
  readonly ms: number
}

export function createKeptRows(pool: Pick<Pool, 'query'>, tenant: string): KeptRows {
  const one = async <Row extends object>(name: string, text: string, values: unknown[]) => {
    const [row] = await ask<Row>(pool, { name, text, values: [tenant, ...values] })
    return row ?? null
  }
  return {
    async read({ target, lease }) {
      const row = await one<KeptRow & Sealed>('token_read', READ, [target, lease])
      if (row === null) throw new TypeError('the database did not tell its time')
      return row
    },
    async begin({ target, lease, settings }, { generation, failures }, { id, ms }) {
      const values = [target, lease, generation, failures, settings, id, ms]
      return await one<Begun>('token_begin', BEGIN, values)
    },
    async store({ target, lease, settings }, { generation, usableMs, sealed }) {
      const { key_version, wrapped_key, nonce, ciphertext } = sealed
      const row = await one<{ generation: number | null }>('token_store', STORE, [
        ...[target, lease, generation, settings, usableMs],
        ...[key_version, wrapped_key, nonce, ciphertext],
      ])
      return row?.generation ?? null
    },
    async end({ target, lease, settings }, claim, effect) {
      const values = [target, lease, settings, claim, effect]
      const row = await one<{ done: boolean }>('token_end', END, values)
      return row?.done === true
    },
    async drop({ target, lease }, generation, olderThanMs) {
      await one('token_drop', DROP, [target, lease, generation, olderThanMs])
    },
  }
}

const READ = `select clock_timestamp() as now, t.generation, t.failures, t.settings,
    t.is_usable, t.failed_at, t.refused_for, t.key_version, t.wrapped_key, t.nonce, t.ciphertext
  from (select) as one left join procura.sealed_token($1, $2, $3) t on true`

// Looked at as it begins: whoever waited for another's turn may have been stopped meanwhile.
const BEGIN = `with standing as materialized (
    select l.tenant, l.target, l.downstream_name from procura.lease l
    where l.tenant = $1 and l.target = $2 and l.downstream_name = $3
      and l.expires_at > clock_timestamp() and ${STANDS})
  select b.* from standing l,
    lateral procura.begin_refresh(l.tenant, l.target, l.downstream_name, $4, $5, $6, $7, $8) b`

const STORE = `select procura.store_token($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as generation`
const END = `select procura.end_refresh($1, $2, $3, $4, $5, $6) as done`
const DROP = `select procura.drop_token($1, $2, $3, $4, $5)`
