/** What may be presented once, or by one key only: shared by all replicas, kept across restarts. */
import type { Pool, QueryConfig, QueryResultRow } from 'pg'
import { eachOf } from '../db/each.ts'
import { isOutage } from '../db/outage.ts'
import { sha256 } from '../domain/digest.ts'
import { JwsError } from '../domain/jws.ts'
import { unavailable } from '../domain/problems.ts'
import type { Rowwise } from '../domain/tx.ts'

const PRUNE_MAX = 5000
/**
 * This process judged what is presented by a clock that stands still while its machine sleeps; the database's
 * judges it again, and forgets it later than that. A house clock that is followed is off by half a second.
 */
const [LATE_SECONDS, FORGOTTEN_SECONDS] = [5, 60]

export interface ReplayStore {
  /**
   * Uses it up; false where somebody else has: true for one caller, however many race.
   *
   * @param of what the `jti` is unique within
   * @param until when it can last be presented: later it may have been used, and be forgotten
   * @param usedBy the request, where it has a name: true for it as often as it comes
   * @throws JwsError `expired` where that is over by the clock of the database
   */
  useUp(of: string, jti: string, until: Date, usedBy?: string | null): Promise<boolean>
  /**
   * Binds an assertion to the first key that it comes with; false for every other key.
   *
   * @throws JwsError `expired` where it is over by the clock of the database, and bound to none
   */
  isBoundTo(assertionHash: string, jkt: string, until: Date): Promise<boolean>
  /** Forgets what can no longer be presented. How many it was. */
  prune(): Promise<number>
}

/** Every method throws `unavailable('replay_store')` rather than guess. */
export function createReplayStore({ tenant, pool }: { tenant: string; pool: Pool }): ReplayStore {
  const each = eachOf(pool, 'replay_store')
  const ask = <Row extends QueryResultRow>(query: QueryConfig) =>
    pool.query<Row>(query).catch(failed)
  /** How many rows it touched, or found. */
  const count = async (query: QueryConfig) => (await ask(query)).rowCount
  const isOne = async (query: QueryConfig) => (await count(query)) === 1

  return {
    async useUp(of, jti, until, usedBy = null) {
      // NUL occurs in neither part, so no two pairs share a key.
      const key = sha256(`${of}\0${jti}`)
      const row = { key, expires_at: until.toISOString(), used_by: usedBy }
      const found = await each<{ is_late: boolean }>(firstUse(tenant), row)
      if (found?.is_late === true) throw new JwsError('expired')
      const isFirst = found !== null
      if (isFirst || usedBy === null) return isFirst
      // Whoever came first has committed; the row never changes.
      return await isOne({
        name: 'used_proof_find',
        text: 'select 1 from procura.used_proof where tenant = $1 and key = $2 and used_by = $3',
        values: [tenant, key, usedBy],
      })
    },

    async isBoundTo(assertionHash, jkt, until) {
      const isFirst = await isOne({
        name: 'assertion_insert',
        text: `insert into procura.assertion (tenant, hash, jkt, expires_at)
               select $1, $2, $3, $4::timestamptz
               where $4::timestamptz >= statement_timestamp() - interval '${String(LATE_SECONDS)} seconds'
               on conflict do nothing`,
        values: [tenant, assertionHash, jkt, until],
      })
      if (isFirst) return true
      // Whoever came first has committed; the row never changes. Where there is none it came too late.
      const { rows } = await ask<{ jkt: string }>({
        name: 'assertion_find',
        text: 'select jkt from procura.assertion where tenant = $1 and hash = $2',
        values: [tenant, assertionHash],
      })
      const [bound] = rows
      if (bound === undefined) throw new JwsError('expired')
      return bound.jkt === jkt
    },

    async prune() {
      const [proofs, assertions] = [
        await forget(count, tenant, ['used_proof', 'key']),
        await forget(count, tenant, ['assertion', 'hash']),
      ]
      return proofs + assertions
    },
  }
}

function failed(error: unknown): never {
  throw isOutage(error) ? unavailable('replay_store', error) : error
}

/**
 * The insert is the check: of however many with one key, one row is new. In order, against deadlock. What came too
 * late is not new either: its mark may have been here, and be gone.
 */
const firstUse = (tenant: string): Rowwise => ({
  name: 'used_proof_insert',
  text: `with r as (
      select *, expires_at < statement_timestamp() - interval '${String(LATE_SECONDS)} seconds' as is_late
      from jsonb_to_recordset($1::jsonb)
        as r (n int, key text, expires_at timestamptz, used_by text)
    ), fresh as (
      insert into procura.used_proof (tenant, key, expires_at, used_by)
      select distinct on (key) $2, key, expires_at, used_by from r where not is_late order by key, n
      on conflict do nothing returning key
    )
    (select distinct on (key) r.n, is_late from fresh join r using (key) where not is_late
     order by key, r.n)
    union all select n, is_late from r where is_late`,
  values: [tenant],
})

/** In batches, until none is left. */
async function forget(
  count: (query: QueryConfig) => Promise<number | null>,
  tenant: string,
  [table, key]: readonly ['used_proof', 'key'] | readonly ['assertion', 'hash'],
): Promise<number> {
  const text = `delete from procura.${table} where tenant = $1 and ${key} in (
                  select ${key} from procura.${table}
                  where tenant = $1 and expires_at < clock_timestamp() - interval '${String(FORGOTTEN_SECONDS)} seconds'
                  order by expires_at limit ${String(PRUNE_MAX)})`
  for (let forgotten = 0; ;) {
    const batch = (await count({ text, values: [tenant] })) ?? 0
    forgotten += batch
    if (batch < PRUNE_MAX) return forgotten
  }
}
