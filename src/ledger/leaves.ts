/** The leaves of one transaction: their exact bytes, and what is stored beside them. */
import type { LedgerEntry } from '../domain/entry.ts'
import { newId } from '../domain/ids.ts'
import { canonical, type JsonObject } from '../domain/json.ts'
import type { Rowwise, Tx } from '../domain/tx.ts'
import { indexDecision } from './decisions.ts'
import { actorMember } from './members.ts'
import { membersOf } from './records.ts'
import type { Sealer } from './sealed.ts'
import type { Turn } from './turn.ts'

export interface Leaf {
  readonly index: number
  readonly eventId: string
  readonly text: string
}

interface Writing {
  readonly tenant: string
  readonly sealer: Sealer
  readonly tx: Tx
  readonly turn: Turn
}

export interface Leaves {
  readonly add: (entry: LedgerEntry) => Leaf
  readonly stored: () => Promise<Leaf[]>
}

/** Leaves from the turn's index on. `stored` resolves when all that lies beside them is written. */
export function createLeaves(writing: Writing): Leaves {
  const { tenant, sealer, tx, turn } = writing
  const leaves: Leaf[] = []
  const storing: Promise<unknown>[] = []

  /** Encrypts and stores a payload; the commitment to it. */
  function put(id: string, payload: JsonObject): string {
    const { commitment, row } = sealer.seal(id, payload)
    storing.push(
      tx.each(sealedPut(tenant), {
        id: row.id,
        wrapped_key: row.wrappedKey.toString('base64'),
        nonce: row.nonce.toString('base64'),
        ciphertext: row.ciphertext.toString('base64'),
      }),
    )
    return commitment
  }

  return {
    add: (entry) => {
      const eventId = entry.eventId ?? newId('evt', turn.now)
      const index = turn.next + leaves.length
      const record: JsonObject = {
        v: 1,
        event_id: eventId,
        event_type: entry.type,
        seq: index,
        ...timesOf(turn),
        request_id: entry.act.requestId,
        face: entry.act.face,
        actor: actorMember(entry.act.actor),
        ...membersOf(entry),
      }
      if (entry.sealed) {
        const { fields, payload } = entry.sealed
        const commitment = put(eventId, payload)
        record['sealed'] = { commitment, fields: [...fields], payload_id: eventId }
      }
      if (entry.type === 'decision') {
        const { decision } = entry.settled
        put(decision.id, decision.snapshot)
        storing.push(indexDecision(tx, tenant, entry, eventId))
      }
      const leaf = { index, eventId, text: canonical(record) }
      leaves.push(leaf)
      return leaf
    },

    stored: async () => {
      await Promise.all(storing)
      return leaves
    },
  }
}

function timesOf({ now, lastRecordedAt }: Turn): JsonObject {
  const recordedAt = now.toISOString()
  const isEarlier = lastRecordedAt !== null && recordedAt < lastRecordedAt
  return {
    ...{ occurred_at: recordedAt, recorded_at: recordedAt, time_basis: 'database' },
    ...(isEarlier && { clock_regressed: true }),
  }
}

const sealedPut = (tenant: string): Rowwise => ({
  name: 'sealed_put',
  text: `insert into procura.sealed_payload (tenant, id, wrapped_key, nonce, ciphertext)
         select $2, id, decode(wrapped_key, 'base64'), decode(nonce, 'base64'),
           decode(ciphertext, 'base64')
         from jsonb_to_recordset($1::jsonb)
           as r (id text, wrapped_key text, nonce text, ciphertext text)`,
  values: [tenant],
})
