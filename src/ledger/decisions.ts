/** An index over the decisions of the log, and their inputs, sealed, so that each can be replayed. */
import type { LedgerEntry } from '../domain/entry.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Tx } from '../domain/tx.ts'

export interface Indexed {
  readonly tenant: string
  readonly entry: Extract<LedgerEntry, { type: 'decision' | 'explained' }>
  readonly eventId: string
  readonly put: (id: string, payload: JsonObject) => Promise<string>
}

/** Makes a decision findable by its id, in the transaction that records it. */
export async function indexDecision(
  tx: Tx,
  { tenant, entry, eventId, put }: Indexed,
): Promise<void> {
  const { decision, asked } = entry.settled
  const { sponsor, terms } = decision.chain.consent
  await put(decision.id, decision.snapshot)
  await tx.query({
    name: 'decision_index',
    text: `insert into procura.decision (tenant, id, at, face, answer, sponsor, agent, instance,
             consent, credential, approval, event_id, snapshot)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $2)`,
    values: [
      ...[tenant, decision.id, tx.now, entry.act.face, decision.answer.kind],
      ...[sponsor, terms.agent, decision.chain.hops[0].instance, decision.chain.consent.id],
      decision.answer.kind === 'allow' ? decision.credential : null,
      ...[decision.approval ?? asked?.id ?? null, eventId],
    ],
  })
}
