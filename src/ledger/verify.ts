/**
 * The auditor's verifier. It trusts the keys it is given and nothing else, and shares only the hashing
 * with the broker: notes, canonical form and rules are written a second time here, on purpose.
 *
 * An export is lines of JSON: `{"format":"procura-ledger-export/1","origin":…}` first, then the leaves
 * in order, `{"leaf":"<exact text>"}`, each with the `hash` (base64) it was stored under or without,
 * and checkpoints, `{"checkpoint":"<note>"}`. Lines are as JSON.stringify writes them. Memory: 32 octets
 * a leaf, and what is still open.
 */
import { EMPTY_TREE, grow, type Hash, leafHash, rootOf, type Tree } from './merkle.ts'
import { at, entryOf, jsonOf } from './verify-entry.ts'
import { Unchecked, Wrong } from './verify-findings.ts'
import { checkpointOf, keyOf, type Signed } from './verify-note.ts'
import { newReplay } from './verify-replay.ts'

/** `ok: null`: it could not be checked, which is not the same as good. */
export type Verdict =
  | { ok: true; entries: number; size: number; root: string; checks: readonly string[] }
  | { ok: false; index: number | null; rule: string; message: string }
  | { ok: null; message: string }

export interface Trust {
  /** Keys of the log, as `name+id+key`; keys under other names are ignored. */
  readonly vkeys: readonly string[]
  /** Checkpoints that somebody else kept: older ones, or newer. */
  readonly against?: readonly string[]
}

/** 0: all of it holds. 1: something is wrong. 2: it could not be checked. */
export function exitCode({ ok }: Verdict): 0 | 1 | 2 {
  if (ok === null) return 2
  return ok ? 0 : 1
}

/** Checks an export in one pass; names the first entry and the rule that fail. Does not throw. */
export async function verifyLedger(
  lines: AsyncIterable<string> | Iterable<string>,
  trust: Trust,
): Promise<Verdict> {
  try {
    const { entries, hashes, checkpoints } = await read(lines, trust)
    const root = rootOf(signedTree(entries, hashes, checkpoints))
    const signed = { size: entries, root: Buffer.from(root).toString('base64') }
    return { ok: true, entries, ...signed, checks: CHECKS }
  } catch (error) {
    if (error instanceof Wrong) {
      return { ok: false, index: error.index, rule: error.rule, message: error.message }
    }
    const message = error instanceof Unchecked ? error.message : 'the input could not be read'
    return { ok: null, message }
  }
}

/** What `ok: true` says. */
const CHECKS = [
  'bytes are canonical',
  'the sequence has no gaps',
  'every entry has its members',
  'the tree is the one that was signed, at every checkpoint',
  'the clock went back nowhere unsaid',
  'consents come before what rests on them',
  'allows come before issuances, one each',
  'approvals come before their one use',
  'budgets add up and are kept',
  'nothing was allowed or issued after it was revoked',
] as const

interface Export {
  readonly entries: number
  /** 32 octets a leaf, in pieces of `PIECE` leaves. */
  readonly hashes: readonly Buffer[]
  readonly checkpoints: readonly Signed[]
}

const PIECE = 4096

async function read(
  lines: AsyncIterable<string> | Iterable<string>,
  { vkeys, against = [] }: Trust,
): Promise<Export> {
  const keys = vkeys.map(keyOf)
  if (keys.length === 0) throw new Unchecked('there is no key to check with')
  const hashes: Buffer[] = []
  const checkpoints: Signed[] = []
  const replay = newReplay()
  let origin: string | null = null
  let entries = 0
  for await (const line of lines) {
    const item = jsonOf(line)
    if (origin === null) {
      const header = (origin = originOf(item, line))
      checkpoints.push(...against.map((note) => checkpointOf(note, header, keys)))
      continue
    }
    const note = at(item, 'checkpoint')
    if (typeof note === 'string') {
      demandSpelling(line, { checkpoint: note }, null)
      checkpoints.push(checkpointOf(note, origin, keys))
      continue
    }
    const { record, hash } = leafOf(item, line, entries)
    replay(record, entries)
    if (entries % PIECE === 0) hashes.push(Buffer.alloc(32 * PIECE))
    hashes.at(-1)?.set(hash, 32 * (entries % PIECE))
    entries += 1
  }
  if (entries === 0) throw new Unchecked('the input has no entries')
  if (checkpoints.length === 0) throw new Unchecked('the input has no checkpoint')
  return { entries, hashes, checkpoints }
}

const FORMAT = 'procura-ledger-export/1'

function originOf(header: unknown, line: string): string {
  const origin = at(header, 'origin')
  if (at(header, 'format') !== FORMAT || typeof origin !== 'string') {
    throw new Unchecked('the input is not an export of a ledger')
  }
  demandSpelling(line, { format: FORMAT, origin }, null)
  return origin
}

/** A line has one spelling: nothing can be added to it, and nothing in it goes unread. */
function demandSpelling(line: string, members: object, index: number | null): void {
  if (JSON.stringify(members) === line) return
  throw new Wrong('form', 'the line is not as an export writes it', index)
}

function leafOf(item: unknown, line: string, index: number): { record: unknown; hash: Hash } {
  const leaf = at(item, 'leaf')
  if (typeof leaf !== 'string') throw new Wrong('form', 'the line is not an entry', index)
  const hash = leafHash(leaf)
  const expected = Buffer.from(hash).toString('base64')
  const stored = at(item, 'hash')
  if (stored !== undefined && stored !== expected) {
    throw new Wrong('hash', 'the entry is not the one that was stored', index)
  }
  demandSpelling(line, stored === undefined ? { leaf } : { leaf, hash: expected }, index)
  try {
    return { record: entryOf(leaf, index), hash }
  } catch (error) {
    // A hostile text may exhaust the stack: it is no entry either.
    throw error instanceof Wrong ? error : new Wrong('form', 'the line is not an entry', index)
  }
}

/** Grows the tree through every checkpoint: each root is that of its size, the last is at the end. */
function signedTree(
  entries: number,
  hashes: readonly Buffer[],
  checkpoints: readonly Signed[],
): Tree {
  let tree = EMPTY_TREE
  for (const { size, root } of checkpoints.toSorted((one, other) => one.size - other.size)) {
    if (size > entries) {
      throw new Wrong('cut', `a checkpoint covers ${String(size)} entries`, entries)
    }
    const good = tree.size
    while (tree.size < size) {
      const next = Math.min(size, tree.size - (tree.size % PIECE) + PIECE)
      tree = grow(tree, leavesOf(hashes, tree.size, next)).tree
    }
    if (!root.equals(rootOf(tree))) {
      const range = `entries ${String(good)} to ${String(size - 1)}`
      throw new Wrong('root', `${range} are not those that were signed`, good < size ? good : null)
    }
  }
  if (tree.size < entries) throw new Wrong('unsigned', 'no checkpoint covers this', tree.size)
  return tree
}

/** The leaf hashes from `start` up to `end`, which are in one piece. */
function leavesOf(hashes: readonly Buffer[], start: number, end: number): Hash[] {
  const piece = hashes[Math.floor(start / PIECE)]
  if (piece === undefined) throw new RangeError('there are fewer entries')
  const first = start % PIECE
  return Array.from({ length: end - start }, (_, n) =>
    piece.subarray(32 * (first + n), 32 * (first + n + 1)),
  )
}
