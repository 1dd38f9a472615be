/** An index over the decisions of the log, so that each can be found, and made again from its inputs. */
import type { LedgerEntry } from '../domain/entry.ts'
import type { JsonObject } from '../domain/json.ts'

/** The row of a decision; its inputs are the sealed payload of the same id. */
export function decisionRow(
  { act, settled: { decision, asked } }: Extract<LedgerEntry, { type: 'decision' | 'explained' }>,
  { eventId, at }: { readonly eventId: string; readonly at: Date },
): JsonObject {
  const { id, answer, chain, credential, approval } = decision
  const { sponsor, terms, id: consent } = chain.consent
  return {
    ...{
      id,
      at: at.toISOString(),
      face: act.face,
      answer: answer.kind,
      sponsor,
      agent: terms.agent,
      consent,
    },
    ...{ instance: chain.hops[0].instance, event_id: eventId },
    credential: answer.kind === 'allow' ? credential : null,
    approval: approval ?? asked?.id ?? null,
  }
}
