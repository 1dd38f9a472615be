/** What is put to the PDP. The justification is not in here, and cannot be. */
import type { Model } from './agent.ts'
import type { Yes } from './approval.ts'
import type { Authority } from './authority.ts'
import { type Chain, leafOf } from './chain.ts'
import type { AgentId, PersonId } from './ids.ts'
import type { ToolCall } from './tool.ts'

/** One of the chain: each is asked for. `hop` is its depth, `null` for the sponsor. */
export type Principal =
  | {
      readonly kind: 'sponsor'
      readonly hop: null
      readonly id: PersonId
      readonly groups: readonly string[]
    }
  | {
      readonly kind: 'agent'
      readonly hop: number
      readonly id: AgentId
      readonly sponsor: PersonId
      readonly model: Model | null
    }

export interface Question {
  /** The sponsor first, then each hop, root first. */
  readonly principals: readonly [Principal, ...Principal[]]
  readonly authority: Authority
  readonly call: ToolCall
  /** What is in force: as asked for, or the leaf's. */
  readonly purpose: string
  readonly depth: number
  /** Calls left under the consent when it was read. */
  readonly usesLeft: number
  readonly ttlSeconds: number
  readonly approval: Yes | null
  /** The database's time. */
  readonly now: Date
}

/** Puts chain, call and approval into the one shape that is decided on. */
export function questionOf(chain: Chain, call: ToolCall, approval: Yes | null): Question {
  const { consent, hops, effective, readAt, sponsorGroups } = chain
  return {
    principals: [
      {
        kind: 'sponsor',
        hop: null,
        id: consent.sponsor,
        groups: sponsorGroups,
      },
      ...hops.map(({ depth, agent, model }): Principal => ({
        kind: 'agent',
        hop: depth,
        id: agent,
        sponsor: consent.sponsor,
        model,
      })),
    ],
    authority: effective,
    call,
    purpose: call.purpose ?? effective.purpose,
    depth: leafOf(chain).depth,
    usesLeft: Math.max(0, consent.terms.maxUses - consent.uses),
    ttlSeconds: call.ttlSeconds,
    approval,
    now: readAt,
  }
}
