/** What was answered under an `Idempotency-Key`, kept so that it can be told again. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { eachOf, rowsOf } from '../db/each.ts'
import type { JsonObject } from '../domain/json.ts'
import { BrokerError } from '../domain/problems.ts'
import type { RequestKey } from '../domain/request.ts'
import type { Rowwise, Tx } from '../domain/tx.ts'

const PRUNE_MAX = 5000

/** What was answered under a key; throws when it came with another body. */
export function findAnswer(pool: Pool, tenant: string) {
  const each = eachOf(pool)
  return async (key: RequestKey | null): Promise<JsonObject | null> => {
    if (key === null) return null
    const { caller, route, key: name, fingerprint } = key
    const kept = await each<{ fingerprint: string; answer: JsonObject }>(found(tenant), {
      ...{ caller, route, key: name },
    })
    if (kept === null) return null
    if (kept.fingerprint !== fingerprint) throw new BrokerError('idempotency_mismatch')
    return kept.answer
  }
}

/**
 * Whether somebody has this key, asked in a turn: it stays so until the end of the turn, for keys are
 * kept in turns only.
 */
export async function isTaken(tx: Tx, tenant: string, key: RequestKey): Promise<boolean> {
  const { caller, route, key: name } = key
  return (await tx.each(found(tenant), { caller, route, key: name })) !== null
}

const found = (tenant: string): Rowwise => ({
  name: 'request_key_find',
  text: `select r.n, k.fingerprint, k.answer
         from ${rowsOf('caller text, route text, key text')}
         join procura.request_key k
           on k.tenant = r.tenant and k.caller = r.caller and k.route = r.route and k.key = r.key`,
  values: [tenant],
})

/**
 * Forgets what was answered more than a day ago. What was made under a key may live longer than that:
 * agents and consents keep theirs; leases and approvals are over within hours.
 */
export async function pruneKeys(pool: Pool, tenant: string): Promise<void> {
  for (let forgotten = PRUNE_MAX; forgotten === PRUNE_MAX;) {
    const rows = await ask(pool, {
      name: 'request_key_prune',
      text: `delete from procura.request_key where tenant = $1 and (caller, route, key) in (
               select caller, route, key from procura.request_key
               where tenant = $1 and created_at < clock_timestamp() - interval '26 hours'
                 and route not in ('POST /v1/agents', 'POST /v1/consents')
               limit ${String(PRUNE_MAX)}) returning 1`,
      values: [tenant],
    })
    forgotten = rows.length
  }
}
