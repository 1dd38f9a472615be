/** An index over the decisions of the log, so that each can be found, and made again from its inputs. */
import { leafOf } from '../domain/chain.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import type { JsonObject } from '../domain/json.ts'

/** The row of a decision; its inputs are the sealed payload of the same id. */
export function decisionRow(
  { act, settled: { decision, asked } }: Extract<LedgerEntry, { type: 'decision' | 'explained' }>,
  { eventId, at }: { readonly eventId: string; readonly at: Date },
): JsonObject {
  const { id, answer, chain, credential, approval } = decision
  const { sponsor, id: consent } = chain.consent
  const { agent, instance, delegation } = leafOf(chain)
  return {
    ...{
      id,
      at: at.toISOString(),
      face: act.face,
      answer: answer.kind,
      sponsor,
      agent,
      consent,
    },
    // Where a gateway asked, no run of the agent did: nobody is meant to redeem it.
    ...{ instance: chain.session === null ? null : instance, delegation, event_id: eventId },
    credential: answer.kind === 'allow' ? credential : null,
    target: decision.grant?.target ?? null,
    approval: approval ?? asked?.id ?? null,
    // Where a gateway asked, there is nobody to stop.
    canary: 'isCanary' in answer && chain.session !== null ? true : null,
  }
}
