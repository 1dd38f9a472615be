/** I17: whoever changes one thing in an export is found out by the verifier that auditors run. */
import { type Verdict, verifyLedger } from '../../src/ledger/verify.ts'
import type { Random } from '../random.ts'
import type { Snapshot } from '../snapshot.ts'
import type { Finding } from './finding.ts'

/** A short ledger is as good as a long one for this, and a thousand times quicker. */
const ENTRIES_MIN = 40

export interface Verifying {
  readonly vkey: string
  readonly origin: string
  readonly mutations: number
  readonly random: Random
}

export async function checkVerifier(seen: Snapshot, verifying: Verifying): Promise<Finding> {
  const { vkey, origin, mutations, random } = verifying
  const head = { id: 'I17', says: 'the verifier finds every single change' }
  const checkpoint =
    seen.checkpoints.find(({ size }) => size >= ENTRIES_MIN) ?? seen.checkpoints.at(-1)
  if (checkpoint === undefined)
    return { ...head, looked: 0, violations: ['there is no checkpoint'] }
  const leaves = seen.leaves.slice(0, checkpoint.size).map(({ entry }) => entry)
  const verify = (entries: readonly string[], note: string): Promise<Verdict> =>
    verifyLedger(exported(origin, entries, note), { vkeys: [vkey] })

  const violations: string[] = []
  const original = await verify(leaves, checkpoint.note)
  if (original.ok !== true) violations.push(`the ledger as it is: ${original.message}`)
  for (let n = 0; n < mutations; n += 1) {
    const { how, entries, note } = mutated(leaves, checkpoint.note, random)
    const { ok } = await verify(entries, note)
    if (ok === true) violations.push(`${how} was not found`)
  }
  return { ...head, looked: mutations + 1, violations }
}

function exported(origin: string, entries: readonly string[], note: string): string[] {
  return [
    JSON.stringify({ format: 'procura-ledger-export/1', origin }),
    ...entries.map((leaf) => JSON.stringify({ leaf })),
    JSON.stringify({ checkpoint: note }),
  ]
}

interface Mutated {
  readonly how: string
  readonly entries: readonly string[]
  readonly note: string
}

function mutated(leaves: readonly string[], note: string, random: Random): Mutated {
  const index = random.below(leaves.length)
  const own = leaves[index] ?? ''
  const other = (index + 1 + random.below(leaves.length - 1)) % leaves.length
  const put = (...entries: string[]) => leaves.toSpliced(index, 1, ...entries)
  const how = random.pick(['a character', 'a cut', 'a copy', 'a swap', 'a gap', 'the note'])
  const place = `at ${String(index)}`
  switch (how) {
    case 'a character':
      return { how: `${how} ${place}`, entries: put(changed(own, random)), note }
    case 'a cut':
      return { how: `${how} ${place}`, entries: leaves.slice(0, index), note }
    case 'a copy':
      return { how: `${how} ${place}`, entries: put(own, own), note }
    case 'a swap':
      return { how: `${how} ${place}`, entries: put(leaves[other] ?? ''), note }
    case 'a gap':
      return { how: `${how} ${place}`, entries: put(), note }
    default:
      return { how, entries: leaves, note: changed(note, random) }
  }
}

/** One character becomes another: the next one. */
function changed(text: string, random: Random): string {
  const at = random.below(text.length)
  const next = String.fromCharCode((text.charCodeAt(at) & 0x7f) ^ 1)
  return text.slice(0, at) + next + text.slice(at + 1)
}
