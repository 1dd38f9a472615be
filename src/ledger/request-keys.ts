/** What was answered under an `Idempotency-Key`, kept so that it can be told again. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { isOutage } from '../db/outage.ts'
import type { JsonObject } from '../domain/json.ts'
import { BrokerError, unavailable } from '../domain/problems.ts'
import type { RequestKey } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'

const PRUNE_MAX = 5000

/** What was answered under a key; throws when it came with another body. */
export async function findAnswer(
  pool: Pool,
  tenant: string,
  key: RequestKey,
): Promise<JsonObject | null> {
  const { rows } = await pool
    .query<{ fingerprint: string; answer: JsonObject }>({
      name: 'request_key_find',
      text: `select fingerprint, answer from procura.request_key
             where tenant = $1 and caller = $2 and route = $3 and key = $4`,
      values: [tenant, key.caller, key.route, key.key],
    })
    .catch((error: unknown) => {
      throw isOutage(error) ? unavailable('database', error) : error
    })
  const [kept] = rows
  if (kept === undefined) return null
  if (kept.fingerprint !== key.fingerprint) throw new BrokerError('idempotency_mismatch')
  return kept.answer
}

/** Of two that come with the same key at once, one is recorded; the other is told to wait. */
export async function keepAnswer(
  tx: Tx,
  tenant: string,
  key: RequestKey,
  answer: JsonObject,
): Promise<void> {
  const { rowCount } = await tx.query({
    name: 'request_key_keep',
    text: `insert into procura.request_key (tenant, caller, route, key, fingerprint, answer)
           values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
    values: [tenant, key.caller, key.route, key.key, key.fingerprint, answer],
  })
  if (rowCount !== 1) {
    throw new BrokerError('idempotency_in_flight', {
      shown: { retryAfterSeconds: 1 },
    })
  }
}

/**
 * Forgets what was answered more than a day ago. What was made under a key may live longer than that:
 * agents and consents keep theirs; leases and approvals are over within hours.
 */
export async function pruneKeys(pool: Pool, tenant: string): Promise<void> {
  await ask(pool, {
    name: 'request_key_prune',
    text: `delete from procura.request_key where tenant = $1 and (caller, route, key) in (
             select caller, route, key from procura.request_key
             where tenant = $1 and created_at < clock_timestamp() - interval '26 hours'
               and route not in ('POST /v1/agents', 'POST /v1/consents')
             limit ${String(PRUNE_MAX)})`,
    values: [tenant],
  })
}
