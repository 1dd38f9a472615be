/** The tokens themselves, kept as evidence: encrypted beside the log, named in it by their hash. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Tx } from '../domain/tx.ts'

export interface Sealing {
  seal(id: string, payload: JsonObject): { readonly row: SealedRow }
  /** @throws when the row was altered, moved, or sealed under another key */
  open(row: SealedRow): JsonObject
}

interface SealedRow {
  readonly id: string
  readonly wrappedKey: Buffer
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}

export interface TokensOptions {
  readonly tenant: string
  readonly sealer: Sealing
}

/** Keeps a root or a hop, in the transaction that puts it on record. */
export async function keepToken(
  { tenant, sealer }: TokensOptions,
  tx: Tx,
  { hash, token }: { readonly hash: string; readonly token: string },
): Promise<void> {
  const { row } = sealer.seal(hash, { token })
  await tx.query({
    name: 'delegation_keep_token',
    text: `insert into procura.sealed_payload (tenant, id, wrapped_key, nonce, ciphertext)
           values ($1, $2, $3, $4, $5)`,
    values: [tenant, row.id, row.wrappedKey, row.nonce, row.ciphertext],
  })
}

/** A token that is on record, with all above it, root first; none where there is no such token. */
export async function tokensTo(
  { tenant, sealer, pool }: TokensOptions & { readonly pool: Pool },
  hash: string,
): Promise<string[]> {
  const rows = await ask<SealedColumns>(pool, {
    name: 'delegation_tokens',
    text: `with named as (
        select hop ->> 'tokenHash' as hash, (hop ->> 'depth')::int as depth
        from procura.delegation d, jsonb_array_elements(d.hops) hop
        where d.tenant = $1 and d.token_hash = $2
        union all
        select token_hash, 0 from procura.root where tenant = $1 and token_hash = $2
      )
      select s.id, s.wrapped_key, s.nonce, s.ciphertext
      from named join procura.sealed_payload s on s.tenant = $1 and s.id = named.hash
      order by named.depth`,
    values: [tenant, hash],
  })
  return rows.map((row) => opened(sealer, row))
}

/** Those of these that are kept, by their hashes. One that was erased is not there. */
export async function tokensBy(
  { tenant, sealer, pool }: TokensOptions & { readonly pool: Pool },
  hashes: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await ask<SealedColumns>(pool, {
    name: 'delegation_tokens_by',
    text: `select id, wrapped_key, nonce, ciphertext from procura.sealed_payload
           where tenant = $1 and id = any ($2::text[])`,
    values: [tenant, hashes],
  })
  return new Map(rows.map((row) => [row.id, opened(sealer, row)]))
}

function opened(sealer: Sealing, row: SealedColumns): string {
  const { id, wrapped_key: wrappedKey, nonce, ciphertext } = row
  const { token } = sealer.open({ id, wrappedKey, nonce, ciphertext })
  if (typeof token !== 'string') throw new Error('a sealed payload that is no token')
  return token
}

interface SealedColumns extends Record<string, unknown> {
  readonly id: string
  readonly wrapped_key: Buffer
  readonly nonce: Buffer
  readonly ciphertext: Buffer
}
