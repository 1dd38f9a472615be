/** An index over the decisions of the log, so that each can be found, and made again from its inputs. */
import type { LedgerEntry } from '../domain/entry.ts'
import type { Tx } from '../domain/tx.ts'

type DecisionEntry = Extract<LedgerEntry, { type: 'decision' | 'explained' }>

/** Makes a decision findable by its id, in the transaction that records it. */
export async function indexDecision(
  tx: Tx,
  tenant: string,
  { act, settled: { decision, asked } }: DecisionEntry,
  eventId: string,
): Promise<void> {
  const { id, answer, chain, credential, approval } = decision
  const { sponsor, terms, id: consent } = chain.consent
  await tx.each(indexed(tenant, tx.now), {
    ...{ id, face: act.face, answer: answer.kind, sponsor, agent: terms.agent, consent },
    ...{ instance: chain.hops[0].instance, event_id: eventId },
    credential: answer.kind === 'allow' ? credential : null,
    approval: approval ?? asked?.id ?? null,
  })
}

const indexed = (tenant: string, now: Date) => ({
  name: 'decision_index',
  text: `insert into procura.decision (tenant, id, at, face, answer, sponsor, agent, instance,
           consent, credential, approval, event_id, snapshot)
         select $2, id, $3, face, answer, sponsor, agent, instance,
           consent, credential, approval, event_id, id
         from jsonb_to_recordset($1::jsonb) as r (id text, face text, answer text, sponsor text,
           agent text, instance text, consent text, credential text, approval text, event_id text)`,
  values: [tenant, now],
})
