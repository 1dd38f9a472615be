/** One pool for each side: what a part may not do, its connections cannot. */
import type { Pool } from 'pg'
import { createBreaker } from './db/breaker.ts'
import { createPool, type Role } from './db/connect.ts'
import type { Secret } from './domain/secret.ts'

const SIDES = {
  front: { role: 'procura_front', max: 8 },
  pdp: { role: 'procura_pdp', max: 8 },
  cdp: { role: 'procura_cdp', max: 8 },
  reaper: { role: 'procura_reaper', max: 3 },
  signer: { role: 'procura_signer', max: 1 },
} as const satisfies Record<string, { role: Role; max: number }>
export type Side = keyof typeof SIDES

/** What one process may take. */
export const CONNECTIONS_MAX = Object.values(SIDES).reduce((sum, { max }) => sum + max, 0)

export type Pools = Readonly<Record<Side, Pool>> & { end(): Promise<void> }

export function openPools(url: Secret): Pools {
  const breaker = createBreaker(url.reveal())
  const pools = Object.fromEntries(
    Object.entries(SIDES).map(([side, { role, max }]) => [
      side,
      createPool({ url: url.reveal(), role, max, name: `procura ${side}`, breaker }),
    ]),
  ) as Record<Side, Pool>
  return {
    ...pools,
    async end() {
      await Promise.all(Object.values(pools).map((pool) => pool.end()))
    },
  }
}
