/** Signs what the log has become, and proves to itself that it only grew. */
import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'
import { inTransaction } from '../db/connect.ts'
import type { Clock } from '../domain/clock.ts'
import { checkpointBody, signNote, vkeyOf } from './checkpoint.ts'
import {
  consistencyProof,
  edgeOf,
  EMPTY_TREE,
  grow,
  type Hash,
  rootOf,
  type Tree,
  verifyConsistency,
} from './merkle.ts'
import { checkAgainstSeen, type Seen } from './seen.ts'
import { leafHashes, nodesOf, storeNodes } from './tree.ts'
import { appendCheckpoint, newestCheckpoint } from './witness.ts'

const LEAVES_PER_TURN = 20_000

export interface SignerOptions {
  readonly tenant: string
  /** Reads leaves, writes nodes and checkpoints, and nothing else. */
  readonly pool: Pool
  /** The log's origin: the issuer's host and port, and `/v1/ledger`. */
  readonly origin: string
  /** Ed25519. */
  readonly key: KeyObject
  /** The file outside the database that gets the newest checkpoint, whoever signed it. */
  readonly file: string
  readonly clock: Clock
}

export interface CheckpointSigner {
  /** Signs what is new; the size that is covered now. Throws as `checkSeen`, and signs nothing. */
  signOnce(): Promise<number>
  /** @throws Error when the log is shorter than what the file outside has seen of it, or another one */
  checkSeen(): Promise<void>
  /** When all there was had been signed, and stood in the file outside. */
  signedAt(): Date
}

export function createSigner(options: SignerOptions): CheckpointSigner {
  const { tenant, pool, origin, key, file, clock } = options
  const vkey = vkeyOf(origin, createPublicKey(key))
  let signedAt = clock()

  /** Read before the log is: what others sign and write down meanwhile is no loss of it. */
  async function seenUntilNow(): Promise<Seen | null> {
    const note = await newestCheckpoint(file)
    return note === null ? null : { tenant, file, vkey, note }
  }

  return {
    async signOnce() {
      for (;;) {
        const asked = clock()
        const seen = await seenUntilNow()
        const signed = await inTransaction(pool, (tx) => extend(tx, options, seen))
        // Whoever signed it: this file is to have seen it too.
        if (signed.note !== null && signed.note !== seen?.note)
          await appendCheckpoint(file, signed.note)
        if (!signed.isComplete) continue
        signedAt = asked
        return signed.size
      }
    },
    async checkSeen() {
      const seen = await seenUntilNow()
      if (seen !== null) await checkAgainstSeen(pool, seen)
    },
    signedAt: () => signedAt,
  }
}

interface Signed {
  readonly size: number
  /** Of that size; `null`: there is none yet. */
  readonly note: string | null
  readonly isComplete: boolean
}

/** Takes the signers' turn, so that no two checkpoints of one size are ever signed. */
async function extend(
  tx: Pick<PoolClient, 'query'>,
  options: SignerOptions,
  seen: Seen | null,
): Promise<Signed> {
  const { tenant, origin, key } = options
  await tx.query(`select pg_advisory_xact_lock(6963, hashtext($1))`, [tenant])
  const before = await newest(tx, tenant)
  if (seen !== null && seen.note !== before.note) await checkAgainstSeen(tx, seen)
  const leaves = await leafHashes(tx, tenant, { start: before.size, limit: LEAVES_PER_TURN })
  if (leaves.length === 0) return { size: before.size, note: before.note, isComplete: true }

  const { tree, completed } = grow(before, leaves)
  await storeNodes(tx, tenant, completed)
  await proveGrowth(tx, tenant, before, tree)
  const body = checkpointBody({ origin, size: tree.size, root: rootOf(tree) })
  const note = signNote(body, origin, key)
  await tx.query(
    'insert into ledger.checkpoint (tenant, size, root, note) values ($1, $2, $3, $4)',
    [tenant, tree.size, Buffer.from(rootOf(tree)), note],
  )
  return { size: tree.size, note, isComplete: leaves.length < LEAVES_PER_TURN }
}

interface SignedTree extends Tree {
  readonly root: Hash | null
  readonly note: string | null
}

async function newest(tx: Pick<PoolClient, 'query'>, tenant: string): Promise<SignedTree> {
  const { rows } = await tx.query<{ size: number; root: Buffer; note: string }>(
    'select size, root, note from ledger.checkpoint where tenant = $1 order by size desc limit 1',
    [tenant],
  )
  const [last] = rows
  if (last === undefined) return { ...EMPTY_TREE, root: null, note: null }
  const edge = await nodesOf(tx, tenant)(edgeOf(last.size))
  return { ...last, edge }
}

/** What was signed last must be the beginning of what is signed now, by the stored tree itself. */
async function proveGrowth(
  tx: Pick<PoolClient, 'query'>,
  tenant: string,
  before: SignedTree,
  after: Tree,
): Promise<void> {
  if (before.root === null) return
  const hashes = await consistencyProof({ from: before.size, to: after.size }, nodesOf(tx, tenant))
  const claim = { from: before.size, to: after.size, fromRoot: before.root, toRoot: rootOf(after) }
  if (!verifyConsistency({ ...claim, hashes })) {
    throw new Error(`ledger: what was signed at ${String(before.size)} is not what is stored now`)
  }
}
