/** The hop that a session of ours rests on, with all that stands above it. A row of it never changes. */
import type { Pool } from 'pg'
import { eachOf } from '../db/each.ts'
import { createCache } from '../domain/cache.ts'
import type { Deciding } from '../domain/ports.ts'
import { delegationBehind, type Registered, registeredOf, type Row } from './store.ts'

const KEPT_MAX = 4000
const KEPT_MS = 60_000

export interface BehindOptions {
  readonly tenant: string
  readonly pool: Pool
  /** A monotonic clock, in milliseconds. */
  readonly elapsed?: () => number
}

/**
 * Kept for a minute: so long those above it may be on another model than is known here, or their runs
 * unknown. Whether any of them was stopped is asked for in the transaction that records the decision, by
 * their keys.
 */
export function createBehind(options: BehindOptions): Deciding['delegations']['behind'] {
  const { tenant, pool, elapsed = () => performance.now() } = options
  const each = eachOf(pool)
  const kept = createCache<{ readonly hop: Registered; readonly until: number }>(KEPT_MAX)

  return async ({ session: { delegation } }) => {
    if (delegation === null) return null
    const known = kept.get(delegation.id)
    if (known !== undefined && elapsed() < known.until) return known.hop
    const row = await each<Row>(delegationBehind(tenant), { id: delegation.id })
    if (row === null) throw new Error('a session of ours names a hop that is not there')
    const hop = registeredOf(row)
    kept.set(delegation.id, { hop, until: elapsed() + KEPT_MS })
    return hop
  }
}
