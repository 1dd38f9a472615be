/** Signs what the log has become, and proves to itself that it only grew. */
import type { KeyObject } from 'node:crypto'
import type { Pool, PoolClient } from 'pg'
import { inTransaction } from '../db/connect.ts'
import type { Clock } from '../domain/clock.ts'
import { checkpointBody, signNote } from './checkpoint.ts'
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
import { leafHashes, nodesOf, storeNodes } from './tree.ts'
import { appendCheckpoint } from './witness.ts'

const LEAVES_PER_TURN = 20_000

export interface SignerOptions {
  readonly tenant: string
  /** Reads leaves, writes nodes and checkpoints, and nothing else. */
  readonly pool: Pool
  /** The log's origin: the issuer's host and port, and `/v1/ledger`. */
  readonly origin: string
  /** Ed25519. */
  readonly key: KeyObject
  /** The file outside the database that gets every checkpoint. */
  readonly file: string
  readonly clock: Clock
}

export interface CheckpointSigner {
  /** Signs what is new; the size that is covered now. */
  signOnce(): Promise<number>
  /** When all there was had been signed, and stood in the file outside. */
  signedAt(): Date
}

export function createSigner(options: SignerOptions): CheckpointSigner {
  const { pool, file, clock } = options
  let signedAt = clock()
  // Committed, and not yet in the file: it is tried again, also when nothing new is recorded.
  let unwritten: string | null = null

  return {
    async signOnce() {
      for (;;) {
        const asked = clock()
        const signed = await inTransaction(pool, (tx) => extend(tx, options))
        unwritten = signed.note ?? unwritten
        if (unwritten !== null) await appendCheckpoint(file, unwritten)
        unwritten = null
        if (!signed.isComplete) continue
        signedAt = asked
        return signed.size
      }
    },
    signedAt: () => signedAt,
  }
}

interface Signed {
  readonly size: number
  readonly note: string | null
  readonly isComplete: boolean
}

/** Takes the signers' turn, so that no two checkpoints of one size are ever signed. */
async function extend(tx: Pick<PoolClient, 'query'>, options: SignerOptions): Promise<Signed> {
  const { tenant, origin, key } = options
  await tx.query(`select pg_advisory_xact_lock(6963, hashtext($1))`, [tenant])
  const before = await newest(tx, tenant)
  const leaves = await leafHashes(tx, tenant, { start: before.size, limit: LEAVES_PER_TURN })
  if (leaves.length === 0) return { size: before.size, note: null, isComplete: true }

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
}

async function newest(tx: Pick<PoolClient, 'query'>, tenant: string): Promise<SignedTree> {
  const { rows } = await tx.query<{ size: number; root: Buffer }>(
    'select size, root from ledger.checkpoint where tenant = $1 order by size desc limit 1',
    [tenant],
  )
  const [last] = rows
  if (last === undefined) return { ...EMPTY_TREE, root: null }
  const edge = await nodesOf(tx, tenant)(edgeOf(last.size))
  return { size: last.size, edge, root: last.root }
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
