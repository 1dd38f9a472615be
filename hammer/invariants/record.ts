/** What is on record: before it is delivered, after it was acknowledged, once and in line. */
import { EMPTY_TREE, grow, leafHash, rootOf } from '../../src/ledger/merkle.ts'
import type { Line } from '../journal.ts'
import type { Leaf, Snapshot } from '../snapshot.ts'
import {
  at,
  both,
  byName,
  type Check,
  credentialsOf,
  decisionsOf,
  delivered,
  each,
  isYes,
  issuancesOf,
  ofType,
  textAt,
} from './finding.ts'

const CHECKPOINT_LAG_MS = 5000

export const RECORD: readonly Check[] = [
  {
    ...{ id: 'I1', says: 'record before delivery', when: 'always' },
    look(seen) {
      const [decisions, issuances] = [decisionsOf(seen), issuancesOf(seen)]
      const rows = credentialsOf(seen)
      const names = new Set(seen.credentials.map((row) => row.downstream_name))
      const secrets = each(delivered(seen), ({ credential }) => {
        const row = rows.get(credential ?? '')
        const issued = issuances.get(credential ?? '')
        const decided = decisions.get(row?.decision_id ?? '')
        if (!row || !issued || !decided)
          return `${String(credential)} was delivered, and is not on record`
        if (textAt(decided.record, 'decision', 'answer') !== 'allow')
          return `${row.id} was not allowed`
        return decided.seq < issued.seq ? null : `${row.id} was issued before it was decided`
      })
      return both(
        secrets,
        each(seen.logins, (name) => (names.has(name) ? null : `${name} has no row`)),
      )
    },
  },
  {
    ...{ id: 'I2', says: 'what was acknowledged is on record, unchanged', when: 'always' },
    look(seen) {
      const events = byName(seen.leaves, ({ eventId }) => eventId)
      const decisions = decisionsOf(seen)
      const yes = seen.journal.filter((line) => isYes(line) && line.op !== 'fault')
      return each(yes, (line) => unkept(line, events, decisions))
    },
  },
  {
    ...{ id: 'I7', says: 'one linear ledger, and every checkpoint its root', when: 'always' },
    look: (seen) =>
      both(each(seen.leaves, isInLine), each([seen], forked), roots(seen), witnessed(seen)),
  },
  {
    ...{ id: 'I13', says: 'each decision names all it was made from', when: 'always' },
    look: (seen) =>
      each(ofType(seen, 'decision', 'explained'), ({ record }) => {
        const needed = ['policy_set_hash', 'schema_hash', 'facts_hash', 'context_hash']
        const missing = needed.filter((name) => textAt(record, 'decision', name) === null)
        const id = String(textAt(record, 'decision', 'id'))
        return missing.length === 0 ? null : `${id} lacks ${missing.join(', ')}`
      }),
  },
  {
    ...{ id: 'I18', says: 'the newest checkpoint is close behind the head', when: 'calm' },
    look(seen) {
      const covered = seen.checkpoints.at(-1)?.size ?? 0
      const waiting = seen.leaves.filter(({ seq }) => seq >= covered)
      return each([seen, ...waiting], (it) => {
        if (!('record' in it)) return null
        const age = seen.now.getTime() - Date.parse(textAt(it.record, 'recorded_at') ?? '')
        return age < CHECKPOINT_LAG_MS
          ? null
          : `entry ${String(it.seq)} is unsigned for ${String(age)} ms`
      })
    },
  },
]

function unkept(line: Line, events: Map<string, Leaf>, decisions: Map<string, Leaf>) {
  const what = `${line.op} of ${line.actor}, call ${String(line.call)}`
  if (line.event !== null) {
    const leaf = events.get(line.event)
    if (!leaf) return `${what}: ${line.event} was acknowledged and is not on record`
    const isSame = line.leaf === null || line.leaf === leaf.hash
    return isSame ? null : `${what}: ${line.event} was proven with another hash`
  }
  if (line.decision === null || decisions.has(line.decision)) return null
  return `${what}: ${line.decision} was acknowledged and is not on record`
}

function isInLine({ seq, eventId, entry, hash, record }: Leaf): string | null {
  const isOwn = textAt(record, 'event_id') === eventId && at(record, 'seq') === seq
  const isHashed = Buffer.from(leafHash(entry)).toString('base64') === hash
  return isOwn && isHashed ? null : `entry ${String(seq)} is not what it is stored as`
}

function forked({ leaves }: Snapshot): string | null {
  const isGapless = leaves.every(({ seq }, index) => seq === index)
  const isDistinct = new Set(leaves.map(({ eventId }) => eventId)).size === leaves.length
  return isGapless && isDistinct ? null : 'the sequence has a gap or a duplicate'
}

/** The tree is grown here, from the leaves: each stored checkpoint is one of its states. */
function roots({ leaves, checkpoints }: Snapshot) {
  let tree = EMPTY_TREE
  return each(checkpoints, ({ size, root }) => {
    if (size > leaves.length)
      return `a checkpoint covers ${String(size)} of ${String(leaves.length)}`
    const fresh = leaves.slice(tree.size, size).map(({ entry }) => leafHash(entry))
    tree = grow(tree, fresh).tree
    const isSame = Buffer.from(rootOf(tree)).toString('base64') === root
    return isSame ? null : `the checkpoint of ${String(size)} has another root`
  })
}

/** What was written down outside is what the database has: no size was ever signed twice. */
function witnessed({ checkpoints, witnessed: outside }: Snapshot) {
  const stored = new Map(checkpoints.map(({ size, root }) => [size, root]))
  return each(outside, ({ size, root }) =>
    stored.get(size) === root ? null : `the witness has another checkpoint of ${String(size)}`,
  )
}
