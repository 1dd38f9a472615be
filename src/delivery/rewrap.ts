/** Wraps the keys of stored secrets and kept tokens anew, after the seal was changed: a few at a time, to the last one. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { type Place, rewrappedRow, type SealedRow } from './envelope.ts'
import type { KeyStore } from './key-store.ts'

const BATCH = 100

export interface Rewrapping {
  readonly tenant: string
  /** Of a role that may read the rows: of those that serve, none may. */
  readonly pool: Pick<Pool, 'query'>
  readonly keys: KeyStore
  readonly batch?: number
  /** Told after each batch how many were wrapped anew so far. */
  readonly progress?: (done: number) => void
}

/**
 * Returns how many it wrapped anew. May be killed and run again, and run beside itself: what is done is
 * in the row, and one that somebody else changed meanwhile is left to them and looked at again.
 *
 * @throws when a row does not open; those before it are done
 */
export async function rewrapSecrets(options: Rewrapping): Promise<number> {
  const secrets = await rewrapAll(options, 'connector_secret', 0)
  return await rewrapAll(options, 'target_token', secrets)
}

type Table = 'connector_secret' | 'target_token'

async function rewrapAll(options: Rewrapping, table: Table, before: number): Promise<number> {
  const { tenant, pool, keys, batch = BATCH, progress } = options
  let done = before
  for (;;) {
    // What seals may have changed since: what is wrapped by the newest is done.
    const version = await keys.current()
    // Each that is done leaves the list, so that the next batch begins behind it.
    const rows = await ask<SealedRow & { target: string }>(pool, {
      text: `select target, key_version, wrapped_key, nonce, ciphertext from procura.${table}
             where tenant = $1 and ciphertext is not null
               and (key_version <> $2 or wrapped_key is null)
             order by target limit $3`,
      values: [tenant, version, batch],
    })
    if (rows.length === 0) return done
    for (const { target, ...row } of rows) {
      const place: Place = { tenant, target, ...(table === 'target_token' && { of: 'token' }) }
      const anew = await rewrapped(keys, place, row)
      if (await replace(pool, table, place, { was: row, is: anew })) done += 1
    }
    progress?.(done)
  }
}

async function rewrapped(keys: KeyStore, place: Place, row: SealedRow): Promise<SealedRow> {
  try {
    return await rewrappedRow(keys, place, row)
  } catch (cause) {
    const what = place.of ?? 'secret'
    throw new Error(`The ${what} of ${place.target} does not open: store it anew`, { cause })
  }
}

/** False where it is not the row any more that was read. */
async function replace(
  pool: Rewrapping['pool'],
  table: Table,
  { tenant, target }: Place,
  { was, is }: { readonly was: SealedRow; readonly is: SealedRow },
): Promise<boolean> {
  const rows = await ask(pool, {
    text: `update procura.${table}
           set key_version = $3, wrapped_key = $4, nonce = $5, ciphertext = $6
           where tenant = $1 and target = $2 and key_version = $7 and nonce = $8
             and wrapped_key is not distinct from $9
           returning target`,
    values: [
      ...[tenant, target, is.key_version, is.wrapped_key, is.nonce, is.ciphertext],
      ...[was.key_version, was.nonce, was.wrapped_key],
    ],
  })
  return rows.length === 1
}
