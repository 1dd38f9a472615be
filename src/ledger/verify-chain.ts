/** The verifier's own rules for chains: who acts under a hop names it as it was put on record. */
import { at } from './verify-entry.ts'

/** By token hash, each root and hop as it went on record, with all above it. */
export type Known = Map<string, string>

/** Takes up a root or a hop. Why that is wrong, or `null`. */
export function takeUp(known: Known, record: unknown): string | null {
  const hops = hopsOf(record)
  const leaf = at(record, 'chain.leaf')
  if (typeof leaf !== 'string' || at(hops.at(-1), 'token_hash') !== leaf) {
    return 'a token that is not the last of its chain'
  }
  if (known.has(leaf)) return 'the token was put on record before'
  const above = hops.at(-2)
  if (above !== undefined && known.get(hashOf(above)) !== pathOf(hops.slice(0, -1))) {
    return 'what it rests on is not on record, or is something else'
  }
  known.set(leaf, pathOf(hops))
  return null
}

/** What acts under a hop: the hop is on record, with the same chain. Why it is not, or `null`. */
export function notOnRecord(known: Known, record: unknown): string | null {
  const leaf = at(record, 'chain.leaf')
  if (leaf === null || leaf === undefined) return null
  if (typeof leaf !== 'string') return 'its chain is named by no text'
  const path = known.get(leaf)
  if (path === undefined) return 'the hop that it rests on is not on record'
  const hops = hopsOf(record)
  return hops.length === 0 || path === pathOf(hops) ? null : 'its chain is not the one on record'
}

function hopsOf(record: unknown): readonly unknown[] {
  const hops = at(record, 'chain.hops')
  return Array.isArray(hops) ? (hops as unknown[]) : []
}

const hashOf = (hop: unknown) => at(hop, 'token_hash') as string
const pathOf = (hops: readonly unknown[]) =>
  JSON.stringify(hops.map((hop) => MEMBERS.map((place) => at(hop, place) ?? null)))

/** Which run holds a token may come to be known later. */
const MEMBERS = ['depth', 'token_hash', 'delegation_id', 'client_id', 'jkt', 'purpose', 'exp']
