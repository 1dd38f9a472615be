import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  consistencyProof,
  edgeOf,
  EMPTY_TREE,
  type FetchNodes,
  grow,
  type Hash,
  inclusionProof,
  leafHash,
  nodeHash,
  rootOf,
  type Tree,
  verifyConsistency,
  verifyInclusion,
} from '../../src/ledger/merkle.ts'

/** RFC 6962 §2.1 to the letter: the oracle. Shares no code with what it judges. */
const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest()
const below = (n: number) => {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}
/** Over `entryOf(start)` up to `end`, remembered: the same ranges come again in every tree. */
const known = new Map<string, Buffer>()
function mth(start: number, end: number): Buffer {
  if (start === end) return sha()
  const name = `${String(start)}-${String(end)}`
  const k = start + below(end - start)
  const hash =
    known.get(name) ??
    (end - start === 1
      ? sha(Buffer.of(0), entryOf(start))
      : sha(Buffer.of(1), mth(start, k), mth(k, end)))
  known.set(name, hash)
  return hash
}
function path(m: number, start: number, end: number): Buffer[] {
  if (end - start === 1) return []
  const k = start + below(end - start)
  if (m < k) return [...path(m, start, k), mth(k, end)]
  return [...path(m, k, end), mth(start, k)]
}
function subproof(m: number, start: number, end: number, isWhole: boolean): Buffer[] {
  if (m === end) return isWhole ? [] : [mth(start, end)]
  const k = start + below(end - start)
  if (m <= k) return [...subproof(m, start, k, isWhole), mth(k, end)]
  return [...subproof(m, k, end, false), mth(start, k)]
}
const entryOf = (n: number) => Buffer.from(`entry ${String(n)}`)

/** A log that keeps what a database would: leaf hashes, and subtrees as they are completed. */
function logOf(entries: readonly Buffer[], batch = 7) {
  const stored = new Map<string, Hash>()
  let tree: Tree = EMPTY_TREE
  for (let from = 0; from < entries.length; from += batch) {
    const leaves = entries.slice(from, from + batch).map((entry) => leafHash(entry))
    leaves.forEach((hash, n) => stored.set(`0/${String(from + n)}`, hash))
    const grown = grow(tree, leaves)
    for (const { level, index, hash } of grown.completed)
      stored.set(`${String(level)}/${String(index)}`, hash)
    tree = grown.tree
  }
  let fetched = 0
  const fetch: FetchNodes = (places) => {
    fetched = places.length
    const hashes = places.map(({ level, index }) => stored.get(`${String(level)}/${String(index)}`))
    if (hashes.includes(undefined)) return Promise.reject(new Error('not stored'))
    return Promise.resolve(hashes as Hash[])
  }
  return { tree, fetch, fetched: () => fetched }
}

const hex = (hash: Uint8Array) => Buffer.from(hash).toString('hex')
const entriesUpTo = (n: number) => Array.from({ length: n }, (_, i) => entryOf(i))
const flipped = (hash: Hash, bit: number): Hash => {
  const copy = Buffer.from(hash)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return copy
}

/** Leaves and roots as published with RFC 6962's reference implementation. [AUD-12] */
const VECTOR = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

describe('the tree', () => {
  it('has the published roots [AUD-12]', () => {
    const entries = VECTOR.map((leaf) => Buffer.from(leaf, 'hex'))
    const roots = ROOTS.map((_, size) => hex(rootOf(logOf(entries.slice(0, size)).tree)))
    expect(roots).toEqual(ROOTS)
  })

  it('grows to the same root, whatever the batches', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 8 }), (batches) => {
        const entries = entriesUpTo(batches.reduce((sum, batch) => sum + batch, 0))
        let tree = EMPTY_TREE
        for (const batch of batches) {
          const leaves = entries.slice(tree.size, tree.size + batch)
          tree = grow(
            tree,
            leaves.map((entry) => leafHash(entry)),
          ).tree
        }
        expect(hex(rootOf(tree))).toBe(hex(mth(0, entries.length)))
      }),
      { numRuns: 50 },
    )
  })

  it('can be taken up again from what is stored of its edge', async () => {
    const entries = entriesUpTo(100)
    for (let size = 0; size <= 100; size += 1) {
      const { tree, fetch } = logOf(entries.slice(0, size))
      expect({ size, edge: await fetch(edgeOf(size)) }).toEqual(tree)
    }
  })

  it('refuses an edge of another size', () => {
    expect(() => grow({ size: 3, edge: [leafHash('a')] }, [leafHash('b')])).toThrow(RangeError)
  })

  it('has no leaf that hashes like an interior node [AUD-12]', () => {
    const [left, right] = [leafHash('a'), leafHash('b')]
    const crafted = Buffer.concat([left, right])
    expect(hex(leafHash(crafted))).not.toBe(hex(nodeHash(left, right)))
    expect(hex(leafHash(Buffer.concat([Buffer.of(1), crafted])))).not.toBe(
      hex(nodeHash(left, right)),
    )
    const root = nodeHash(left, right)
    expect(verifyInclusion({ index: 0, size: 1, leaf: root, root, hashes: [] })).toBe(true)
    expect(verifyInclusion({ index: 0, size: 1, leaf: leafHash(crafted), root, hashes: [] })).toBe(
      false,
    )
  })
})

describe('proofs', () => {
  it('are those of the RFC, and verify, for every leaf of every tree up to 256', async () => {
    const all = entriesUpTo(256)
    for (let size = 1; size <= 256; size += 1) {
      const entries = all.slice(0, size)
      const { tree, fetch } = logOf(entries)
      const root = rootOf(tree)
      for (let index = 0; index < size; index += 1) {
        const hashes = await inclusionProof({ index, size }, fetch)
        const leaf = leafHash(all[index] ?? '')
        const isOk = verifyInclusion({ index, size, leaf, root, hashes })
        if (!isOk) expect.fail(`leaf ${String(index)} of ${String(size)}`)
        expect(hashes.map(hex)).toEqual(path(index, 0, size).map(hex))
      }
    }
  })

  it('of consistency are those of the RFC, and verify, for all pairs of sizes up to 256', async () => {
    const all = entriesUpTo(256)
    const { fetch } = logOf(all)
    const roots: Hash[] = []
    for (let size = 0; size <= 256; size += 1)
      roots.push(rootOf({ edge: await fetch(edgeOf(size)) }))
    const root = (size: number) => roots[size] ?? Buffer.alloc(0)
    for (let to = 0; to <= 256; to += 1) {
      for (let from = 0; from <= to; from += 1) {
        const hashes = await consistencyProof({ from, to }, fetch)
        const claim = { from, to, fromRoot: root(from), toRoot: root(to), hashes }
        if (!verifyConsistency(claim)) expect.fail(`${String(from)} to ${String(to)}`)
        if (from > 0) {
          expect(hashes.map(hex)).toEqual(subproof(from, 0, to, true).map(hex))
        }
      }
    }
  })

  it('need a number of stored nodes that grows like the square of the logarithm at most', async () => {
    const { fetch, fetched } = logOf(entriesUpTo(2000), 100)
    await inclusionProof({ index: 0, size: 1999 }, fetch)
    expect(fetched()).toBeLessThan(20)
    await consistencyProof({ from: 1001, to: 1999 }, fetch)
    expect(fetched()).toBeLessThan(30)
  })

  it('are refused for another leaf, another index, another size, or any flipped bit [AUD-10]', async () => {
    for (let size = 1; size <= 40; size += 1) {
      const { tree, fetch } = logOf(entriesUpTo(size))
      const root = rootOf(tree)
      for (let index = 0; index < size; index += 1) {
        const hashes = await inclusionProof({ index, size }, fetch)
        const claim = { index, size, leaf: leafHash(`entry ${String(index)}`), root, hashes }
        expect(verifyInclusion(claim)).toBe(true)
        const lies = [
          { ...claim, leaf: leafHash('another') },
          { ...claim, leaf: flipped(claim.leaf, (index * 5) % 256) },
          { ...claim, root: flipped(root, (index * 7) % 256) },
          { ...claim, index: index + 1 },
          { ...claim, index: index - 1 },
          { ...claim, index: size },
          { ...claim, index: index + 0.5 },
          { ...claim, hashes: [...hashes, root] },
          { ...claim, size: 0 },
          ...hashes.map((_, n) => ({ ...claim, hashes: hashes.toSpliced(n, 1) })),
          ...hashes.map((hash, n) => ({ ...claim, hashes: hashes.with(n, flipped(hash, n)) })),
        ]
        expect(lies.filter(verifyInclusion)).toEqual([])
      }
    }
  })

  it('of consistency are refused between trees that forked, and for any change [AUD-05]', async () => {
    for (let to = 2; to <= 40; to += 1) {
      const { tree, fetch } = logOf(entriesUpTo(to))
      const toRoot = rootOf(tree)
      for (let from = 1; from < to; from += 1) {
        const fromRoot = rootOf(logOf(entriesUpTo(from)).tree)
        const forked = rootOf(logOf([...entriesUpTo(from - 1), Buffer.from('fork')]).tree)
        const hashes = await consistencyProof({ from, to }, fetch)
        const claim = { from, to, fromRoot, toRoot, hashes }
        expect(verifyConsistency(claim)).toBe(true)
        const lies = [
          { ...claim, fromRoot: forked },
          { ...claim, toRoot: forked },
          { ...claim, from: to, to: from },
          { ...claim, from: to },
          { ...claim, from: 0 },
          { ...claim, hashes: [] },
          { ...claim, hashes: [...hashes, toRoot] },
          ...hashes.map((_, n) => ({ ...claim, hashes: hashes.toSpliced(n, 1) })),
          ...hashes.map((hash, n) => ({ ...claim, hashes: hashes.with(n, flipped(hash, 9 * n)) })),
        ]
        expect(lies.filter(verifyConsistency)).toEqual([])
      }
    }
  })

  it('are not made for what is not in the tree', async () => {
    const { fetch } = logOf(entriesUpTo(5))
    await expect(inclusionProof({ index: 5, size: 5 }, fetch)).rejects.toThrow(RangeError)
    await expect(inclusionProof({ index: -1, size: 5 }, fetch)).rejects.toThrow(RangeError)
    await expect(consistencyProof({ from: 5, to: 4 }, fetch)).rejects.toThrow(RangeError)
    await expect(inclusionProof({ index: 5, size: 9 }, fetch)).rejects.toThrow('not stored')
    await expect(inclusionProof({ index: 1, size: 5 }, () => Promise.resolve([]))).rejects.toThrow(
      RangeError,
    )
  })
})
