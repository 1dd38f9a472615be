/** Sessions that may still be used: kept to be counted when something under them is stopped, no more. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { leafOf, type Path } from '../domain/chain.ts'
import type { ConsentId, InstanceId } from '../domain/ids.ts'
import type { Tx } from '../domain/tx.ts'

const FORGET_MAX = 5000

export interface KeptSession {
  readonly jti: string
  readonly instance: InstanceId
  /** Seconds. */
  readonly exp: number
  readonly path: Pick<Path, 'hops'>
}

/** In the transaction that records the session. */
export async function keepSession(
  tx: Tx,
  tenant: string,
  consent: ConsentId,
  { jti, instance, exp, path }: KeptSession,
): Promise<void> {
  const { agent, delegation } = leafOf(path)
  await tx.query({
    name: 'session_insert',
    text: `insert into procura.session (tenant, jti, consent, agent, instance, delegation, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7)`,
    values: [tenant, jti, consent, agent, instance, delegation, new Date(exp * 1000)],
  })
}

/** Those that are over; how many. In batches, until none is left. */
export async function forgetSessions(pool: Pool, tenant: string): Promise<number> {
  for (let forgotten = 0; ;) {
    const rows = await ask(pool, {
      name: 'session_forget',
      text: `delete from procura.session where tenant = $1 and jti in (
               select jti from procura.session
               where tenant = $1 and expires_at < clock_timestamp() order by expires_at limit $2)
             returning 1`,
      values: [tenant, FORGET_MAX],
    })
    forgotten += rows.length
    if (rows.length < FORGET_MAX) return forgotten
  }
}
