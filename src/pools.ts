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

/** Whose work is done where the two sides are two processes. */
export const SIDES_OF = {
  pdp: ['front', 'pdp', 'signer'],
  cdp: ['cdp', 'reaper'],
} as const satisfies Record<string, readonly Side[]>

/** What a process of both sides may take; one of two takes less. */
export const CONNECTIONS_MAX = Object.values(SIDES).reduce((sum, { max }) => sum + max, 0)

export type PoolsOf<S extends Side> = Readonly<Record<S, Pool>>
export type PdpPools = PoolsOf<(typeof SIDES_OF.pdp)[number]>
export type CdpPools = PoolsOf<(typeof SIDES_OF.cdp)[number]>
export type Pools = PdpPools & CdpPools
export interface Ending {
  end(): Promise<void>
}

export function openPools(url: Secret): Pools & Ending {
  return openSome(url, [...SIDES_OF.pdp, ...SIDES_OF.cdp])
}

/** Of a role that is not needed here there is no connection at all. */
export function openSome<S extends Side>(url: Secret, sides: readonly S[]): PoolsOf<S> & Ending {
  const breaker = createBreaker(url.reveal())
  const pools = Object.fromEntries(
    sides.map((side) => {
      const { role, max } = SIDES[side]
      const name = `procura ${side}`
      return [side, createPool({ url: url.reveal(), role, max, name, breaker })]
    }),
  ) as Record<S, Pool>
  return {
    ...pools,
    async end() {
      await Promise.all(Object.values<Pool>(pools).map((pool) => pool.end()))
    },
  }
}

/** The database roles of sides. */
export const rolesOf = (sides: readonly Side[]): Role[] => sides.map((side) => SIDES[side].role)
