/** The leaves of one transaction: their exact bytes, and the rows that are stored beside them. */
import type { LedgerEntry } from '../domain/entry.ts'
import { newId } from '../domain/ids.ts'
import { canonical, type JsonObject } from '../domain/json.ts'
import { decisionRow } from './decisions.ts'
import { actorMember } from './members.ts'
import { membersOf } from './records.ts'
import type { Sealer } from './sealed.ts'
import type { Turn } from './turn.ts'

export interface Leaf {
  readonly index: number
  readonly eventId: string
  readonly text: string
}

export interface Leaves {
  readonly leaves: readonly Leaf[]
  readonly sealed: readonly JsonObject[]
  readonly decisions: readonly JsonObject[]
  /** @param now when it was judged */
  readonly add: (entry: LedgerEntry, now: Date) => Leaf
}

/** Leaves from the turn's index on. */
export function createLeaves(sealer: Pick<Sealer, 'seal'>, turn: Turn): Leaves {
  const leaves: Leaf[] = []
  const sealed: JsonObject[] = []
  const decisions: JsonObject[] = []
  const timesOf = createTimes(turn.lastRecordedAt)

  /** Encrypts a payload; the commitment to it. */
  function seal(id: string, payload: JsonObject): string {
    const { commitment, row } = sealer.seal(id, payload)
    sealed.push({
      id: row.id,
      wrapped_key: row.wrappedKey.toString('base64'),
      nonce: row.nonce.toString('base64'),
      ciphertext: row.ciphertext.toString('base64'),
    })
    return commitment
  }

  return {
    ...{ leaves, sealed, decisions },
    add(entry, now) {
      const eventId = entry.eventId ?? newId('evt', now)
      const index = turn.next + leaves.length
      const record: JsonObject = {
        v: 1,
        event_id: eventId,
        event_type: entry.type,
        seq: index,
        ...timesOf(now),
        request_id: entry.act.requestId,
        face: entry.act.face,
        actor: actorMember(entry.act.actor),
        ...membersOf(entry),
      }
      if (entry.sealed) {
        const { fields, payload } = entry.sealed
        const commitment = seal(eventId, payload)
        record['sealed'] = { commitment, fields: [...fields], payload_id: eventId }
      }
      if (entry.type === 'decision') {
        const { decision } = entry.settled
        seal(decision.id, decision.snapshot)
        decisions.push(decisionRow(entry, { eventId, at: now }))
      }
      const leaf = { index, eventId, text: canonical(record) }
      leaves.push(leaf)
      return leaf
    },
  }
}

/** The times of leaf after leaf, and whether the clock went back before one. */
function createTimes(before: string | null): (now: Date) => JsonObject {
  let last = before
  return (now) => {
    const recordedAt = now.toISOString()
    const isEarlier = last !== null && recordedAt < last
    last = recordedAt
    return {
      ...{ occurred_at: recordedAt, recorded_at: recordedAt, time_basis: 'database' },
      ...(isEarlier && { clock_regressed: true }),
    }
  }
}
