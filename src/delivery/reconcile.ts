/** What is at a target and has no live lease is ended: the target's truth against ours. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { Meter } from '../domain/meter.ts'
import { within } from './deadline.ts'
import { STOPS } from './leases.ts'
import { NotAskedFor } from './seal.ts'
import type { Targets } from './targets.ts'

const LIST_MS = 5000

/**
 * Spent on a statement that may still run, as nothing has stopped it: the longest takes ten minutes,
 * and its login seconds before and after.
 */
const RUNNING = `l.connector = 'postgres-exact' and l.state = 'redeemed'
  and l.ended_at > clock_timestamp() - interval '11 min'
  and not exists (select from ${STOPS})`

export interface Reconciling {
  readonly tenant: string
  readonly pool: Pool
  readonly targets: Targets
  readonly meter?: Meter
  readonly trouble?: (error: unknown) => void
}

/**
 * The names of the orphans found; one that could not be ended is tried, and counted, again next time. One that is
 * gone when it is to be ended was none: its lease ended between the two reads, or another was quicker.
 */
export async function reconcile(
  options: Reconciling,
  name: string,
  stop?: AbortSignal,
): Promise<string[]> {
  const { tenant, pool, targets, meter, trouble } = options
  const target = targets.get(name)
  if (target === undefined) throw new Error(`There is no target ${name}`)
  // There first, here second: what it lists has had its row for longer than that.
  const there = await within(LIST_MS, (signal) => target.listOwn(signal)).catch(unlessUnused)
  if (there.length === 0) return []
  const rows = await ask<{ name: string }>(pool, {
    text: `select l.downstream_name as name from procura.lease l
           where l.tenant = $1 and l.downstream_name = any($2::text[])
             and (l.state in ('minting', 'active', 'revoke_pending') or ${RUNNING})`,
    values: [tenant, there],
  })
  const ours = new Set(rows.map((row) => row.name))
  const orphans: string[] = []
  for (const one of there.filter((name) => !ours.has(name))) {
    if (stop?.aborted === true) break
    const { found } = await within(LIST_MS, (signal) => target.revoke(one, signal)).catch(
      (error: unknown) => {
        trouble?.(error)
        return { found: true }
      },
    )
    if (!found) continue
    orphans.push(one)
    meter?.count('procura_orphans_total', { target: name })
  }
  return orphans
}

/** Where nothing was given for eight days nothing of ours lives, and its secret is not to be had. */
function unlessUnused(error: unknown): string[] {
  if (error instanceof NotAskedFor) return []
  throw error
}
