/**
 * The Merkle tree of RFC 6962 §2.1: hashes, roots, proofs and their checks. Pure, and the only code
 * that broker and verifier share. Sizes and indexes are safe integers, hashes are 32 octets.
 *
 * What is stored of a tree is its complete subtrees, each named by level (0: leaves) and index. A
 * proof is made from O(log n) of them.
 */
import { createHash, hash as hashText } from 'node:crypto'

export type Hash = Uint8Array

/** A complete subtree: the `2^level` leaves from `index * 2^level` on. */
export interface Place {
  readonly level: number
  readonly index: number
}
export interface TreeNode extends Place {
  readonly hash: Hash
}

/** A tree as far as it takes to grow it: the complete subtrees along its right edge, largest first. */
export interface Tree {
  readonly size: number
  readonly edge: readonly Hash[]
}

/** Gives the hashes at these places, in their order. Throws if one is missing. */
export type FetchNodes = (places: readonly Place[]) => Promise<readonly Hash[]>

export const EMPTY_TREE: Tree = { size: 0, edge: [] }

export function leafHash(entry: string | Uint8Array): Hash {
  return createHash('sha256').update(LEAF).update(entry).digest()
}

export function nodeHash(left: Hash, right: Hash): Hash {
  return createHash('sha256').update(NODE).update(left).update(right).digest()
}

export function rootOf({ edge }: Pick<Tree, 'edge'>): Hash {
  return edge.length === 0 ? hashText('sha256', '', 'buffer') : joined(edge)
}

/** Where the edge of a tree of this size is stored, for `{ size, edge: await fetch(edgeOf(size)) }`. */
export function edgeOf(size: number): Place[] {
  return placesOf({ start: 0, end: size })
}

/** The tree with these leaf hashes appended, and every subtree above the leaves they complete. */
export function grow(tree: Tree, leaves: readonly Hash[]): { tree: Tree; completed: TreeNode[] } {
  const edge = [...tree.edge]
  const completed: TreeNode[] = []
  let { size } = tree
  for (const leaf of leaves) {
    let hash = leaf
    // Each one bit at the end of the index is a complete left sibling waiting at that level.
    for (let level = 0, index = size; index % 2 === 1; level += 1) {
      const left = edge.pop()
      if (left === undefined) throw new RangeError('the edge does not belong to this size')
      hash = nodeHash(left, hash)
      index = half(index)
      completed.push({ level: level + 1, index, hash })
    }
    edge.push(hash)
    size += 1
  }
  return { tree: { size, edge }, completed }
}

/** RFC 6962 §2.1.1: that leaf `index` is in the tree of `size`. The leaf's sibling comes first. */
export async function inclusionProof(
  { index, size }: { readonly index: number; readonly size: number },
  fetch: FetchNodes,
): Promise<Hash[]> {
  if (!(index >= 0 && index < size)) throw new RangeError('the leaf is not in the tree')
  const ranges: Range[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const middle = start + split(end - start)
    ranges.unshift(index < middle ? { start: middle, end } : { start, end: middle })
    if (index < middle) end = middle
    else start = middle
  }
  return await hashesOf(ranges, fetch)
}

/** RFC 6962 §2.1.2: that the tree of size `to` begins with the tree of size `from`. */
export async function consistencyProof(
  { from, to }: { readonly from: number; readonly to: number },
  fetch: FetchNodes,
): Promise<Hash[]> {
  if (!(from >= 0 && from <= to)) throw new RangeError('the sizes are not in order')
  if (from === 0 || from === to) return []
  const ranges: Range[] = []
  let [start, end] = [0, to]
  while (end !== from) {
    const middle = start + split(end - start)
    ranges.unshift(from <= middle ? { start: middle, end } : { start, end: middle })
    if (from <= middle) end = middle
    else start = middle
  }
  // A verifier who holds the old root knows this subtree if it is all of the old tree.
  if (start > 0) ranges.unshift({ start, end })
  return await hashesOf(ranges, fetch)
}

/** What an inclusion proof claims. */
export interface Inclusion {
  readonly index: number
  readonly size: number
  readonly leaf: Hash
  readonly root: Hash
  readonly hashes: readonly Hash[]
}

/** RFC 9162 §2.1.3.2, which checks proofs of RFC 6962. */
export function verifyInclusion({ index, size, leaf, root, hashes }: Inclusion): boolean {
  if (!isSize(index) || !isSize(size) || index >= size) return false
  let [at, last] = [index, size - 1]
  let computed = leaf
  for (const hash of hashes) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      computed = nodeHash(hash, computed)
      for (; at % 2 === 0 && at !== 0; at = half(at)) last = half(last)
    } else {
      computed = nodeHash(computed, hash)
    }
    at = half(at)
    last = half(last)
  }
  return last === 0 && isSame(computed, root)
}

/** What a consistency proof claims. */
export interface Consistency {
  readonly from: number
  readonly to: number
  readonly fromRoot: Hash
  readonly toRoot: Hash
  readonly hashes: readonly Hash[]
}

/** RFC 9162 §2.1.4.2. From nothing, and from the same size, the proof is empty. */
export function verifyConsistency({ from, to, fromRoot, toRoot, hashes }: Consistency): boolean {
  if (!isSize(from) || !isSize(to) || from > to) return false
  if (from === to) return hashes.length === 0 && isSame(fromRoot, toRoot)
  if (from === 0) return hashes.length === 0 && isSame(fromRoot, rootOf(EMPTY_TREE))

  let [at, last] = [from - 1, to - 1]
  for (; at % 2 === 1; at = half(at)) last = half(last)
  // The old tree is one complete subtree of the new one: its root is where both begin.
  const [first, ...rest] = at === 0 ? [fromRoot, ...hashes] : hashes
  if (first === undefined) return false
  let [older, newer] = [first, first]
  for (const hash of rest) {
    if (last === 0) return false
    if (at % 2 === 1 || at === last) {
      older = nodeHash(hash, older)
      newer = nodeHash(hash, newer)
      for (; at % 2 === 0 && at !== 0; at = half(at)) last = half(last)
    } else {
      newer = nodeHash(newer, hash)
    }
    at = half(at)
    last = half(last)
  }
  return last === 0 && isSame(older, fromRoot) && isSame(newer, toRoot)
}

/** Leaves from `start` up to `end`: a node of the RFC's recursion, complete or at the right edge. */
interface Range {
  readonly start: number
  readonly end: number
}

/** The complete subtrees that make up a range, left to right. */
function placesOf({ start, end }: Range): Place[] {
  const places: Place[] = []
  for (let at = start; at < end;) {
    const level = levelOf(end - at)
    places.push({ level, index: at / 2 ** level })
    at += 2 ** level
  }
  return places
}

async function hashesOf(ranges: readonly Range[], fetch: FetchNodes): Promise<Hash[]> {
  const places = ranges.map(placesOf)
  const hashes = await fetch(places.flat())
  if (hashes.length !== places.flat().length) throw new RangeError('the tree has missing nodes')
  let used = 0
  return places.map(({ length }) => joined(hashes.slice(used, (used += length))))
}

/** The root above neighbouring complete subtrees, largest first. */
function joined(subtrees: readonly Hash[]): Hash {
  return subtrees.reduceRight((right, left) => nodeHash(left, right))
}

/** The level of the largest complete subtree of n leaves. `Math.log2` would round up near 2^49. */
function levelOf(n: number): number {
  let level = 0
  while (2 ** (level + 1) <= n) level += 1
  return level
}

/** RFC 6962 §2.1: the largest power of two below n. */
const split = (n: number) => 2 ** levelOf(n - 1)
const half = (n: number) => Math.floor(n / 2)
const isSize = (n: number) => Number.isSafeInteger(n) && n >= 0
const isSame = (one: Hash, other: Hash) => Buffer.compare(one, other) === 0
const LEAF = Buffer.of(0)
const NODE = Buffer.of(1)
