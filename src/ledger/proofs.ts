/** Proofs for auditors, each against a tree that was signed. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { BrokerError } from '../domain/problems.ts'
import { consistencyProof, type Hash, inclusionProof } from './merkle.ts'
import { nodesOf } from './tree.ts'

export interface Inclusion {
  readonly index: number
  readonly size: number
  /** Standard base64, as everything of a proof. */
  readonly leafHash: string
  readonly hashes: readonly string[]
  readonly checkpoint: string
}

export interface Consistency {
  readonly from: number
  readonly to: number
  readonly hashes: readonly string[]
  readonly checkpoint: string
}

export interface Proofs {
  /** The newest signed note. @throws BrokerError `not_yet_checkpointed` before the first */
  checkpoint(): Promise<string>
  /** The leaf of an event, or at an index, in the newest signed tree or in that of `size`. */
  inclusion(which: { index: number } | { eventId: string }, size?: number): Promise<Inclusion>
  consistency(from: number, to: number): Promise<Consistency>
}

interface Where {
  readonly tenant: string
  readonly pool: Pool
}

export function createProofs(where: Where): Proofs {
  const fetch = nodesOf(where.pool, where.tenant)
  return {
    async checkpoint() {
      return (await signedAt(where, undefined))?.note ?? notYet()
    },
    async inclusion(which, size) {
      const leaf = await leafAt(where, which)
      const signed = await signedAt(where, size)
      if (signed === null || (size === undefined && leaf.index >= signed.size)) return notYet()
      if (leaf.index >= signed.size) throw breaks('size', 'covers the leaf')
      const hashes = await inclusionProof({ index: leaf.index, size: signed.size }, fetch)
      return {
        ...{ index: leaf.index, size: signed.size, leafHash: base64(leaf.hash) },
        ...{ hashes: hashes.map(base64), checkpoint: signed.note },
      }
    },
    async consistency(from, to) {
      if (from > to) throw breaks('from', 'at most `to`')
      const signed = await signedAt(where, to)
      if (signed === null) return notYet()
      const hashes = await consistencyProof({ from, to }, fetch)
      return { from, to, hashes: hashes.map(base64), checkpoint: signed.note }
    },
  }
}

interface Leaf {
  readonly index: number
  readonly hash: Buffer
}

async function leafAt(
  { tenant, pool }: Where,
  which: { index: number } | { eventId: string },
): Promise<Leaf> {
  const [leaf] = await ask<Leaf>(pool, {
    name: 'ledger_leaf_at',
    text: `select index, hash from ledger.leaf
           where tenant = $1 and (index = $2 or event_id = $3)`,
    values: [tenant, ...('index' in which ? [which.index, null] : [null, which.eventId])],
  })
  if (leaf !== undefined) return leaf
  throw 'index' in which ? breaks('index', 'within the log') : new BrokerError('not_found')
}

interface Signed {
  readonly size: number
  readonly note: string
}

/** The newest, or the one of a size, which then has to be there. */
async function signedAt({ tenant, pool }: Where, size: number | undefined): Promise<Signed | null> {
  const [signed] = await ask<Signed>(pool, {
    name: 'ledger_signed_at',
    text: `select size, note from ledger.checkpoint
           where tenant = $1 and ($2::bigint is null or size = $2) order by size desc limit 1`,
    values: [tenant, size ?? null],
  })
  if (signed === undefined && size !== undefined) throw breaks('size', 'a size that was signed')
  return signed ?? null
}

function notYet(): never {
  throw new BrokerError('not_yet_checkpointed', { shown: { retryAfterSeconds: 1 } })
}

function breaks(name: string, rule: string): BrokerError {
  return new BrokerError('schema_violation', { shown: { errors: [{ pointer: `/${name}`, rule }] } })
}

const base64 = (hash: Hash) => Buffer.from(hash).toString('base64')
