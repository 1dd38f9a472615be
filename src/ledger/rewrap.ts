/** Wraps the keys of sealed payloads anew, after the seal was changed: bounded batches, in the order of ids. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { SealedRow, Sealer } from './sealed.ts'

const BATCH = 500

export interface Rewrapping {
  readonly tenant: string
  /** Of a role that may change what is kept: of those that serve, none may. */
  readonly pool: Pick<Pool, 'query'>
  readonly sealer: Pick<Sealer, 'rewrapped'>
  readonly batch?: number
  /** Told after each batch how many were wrapped anew so far. */
  readonly progress?: (done: number) => void
}

export interface Rewrapped {
  readonly done: number
  /** That open under no key there is: altered, or of a seal that is gone. They stay as they are. */
  readonly closed: number
}

/**
 * One pass over all of them. May be killed and run again, and run beside itself: what is done is found
 * done. What a broker sealed under the old seal behind its back is for the next pass.
 */
export async function rewrapPayloads(options: Rewrapping): Promise<Rewrapped> {
  const { tenant, pool, batch = BATCH, progress } = options
  let [after, done, closed] = ['', 0, 0]
  for (;;) {
    const rows = await ask<Row>(pool, {
      text: `select id, wrapped_key, nonce from procura.sealed_payload
             where tenant = $1 and id > $2 order by id limit $3`,
      values: [tenant, after, batch],
    })
    const last = rows.at(-1)
    if (last === undefined) return { done, closed }
    const looked = rows.map((row) => ({ ...row, now: lookedAt(options.sealer, row) }))
    closed += looked.filter(({ now }) => now === 'closed').length
    done += await replace(options, looked)
    after = last.id
    progress?.(done)
  }
}

interface Row {
  readonly id: string
  readonly wrapped_key: Buffer
  readonly nonce: Buffer
}
type Looked = Row & { readonly now: Buffer | 'closed' | null }

/** `null`: under the newest seal already. */
function lookedAt(sealer: Rewrapping['sealer'], { id, wrapped_key, nonce }: Row): Looked['now'] {
  const row: Omit<SealedRow, 'ciphertext'> = { id, wrappedKey: wrapped_key, nonce }
  try {
    return sealer.rewrapped(row)
  } catch {
    return 'closed' // Told as a number; one that was altered keeps no other from being done.
  }
}

/** How many were still what was read. */
async function replace({ tenant, pool }: Rewrapping, looked: readonly Looked[]): Promise<number> {
  const due = looked.filter(({ now }) => Buffer.isBuffer(now))
  if (due.length === 0) return 0
  const rows = await ask(pool, {
    text: `update procura.sealed_payload p set wrapped_key = r.now
           from unnest($2::text[], $3::bytea[], $4::bytea[]) as r (id, was, now)
           where p.tenant = $1 and p.id = r.id and p.wrapped_key = r.was returning p.id`,
    values: [
      ...[tenant, due.map(({ id }) => id)],
      ...[due.map(({ wrapped_key }) => wrapped_key), due.map(({ now }) => now)],
    ],
  })
  return rows.length
}
