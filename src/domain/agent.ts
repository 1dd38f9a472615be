/** Agents, and the models they say they run on. */
import type { AgentId, PersonId } from './ids.ts'
import type { JsonObject } from './json.ts'

/** A registered workload of one sponsor. */
export interface Agent {
  readonly id: AgentId
  readonly sponsor: PersonId
  readonly name: string
  readonly description: string | null
  readonly workload: Workload
  readonly status: 'active' | 'retired'
  readonly createdAt: Date
}

/** How a run of the agent proves whose it is. One workload belongs to one active agent. */
export type Workload =
  | { readonly kind: 'oidc'; readonly issuer: string; readonly subject: string }
  | { readonly kind: 'spiffe'; readonly id: string }
  | { readonly kind: 'jwk'; readonly jwk: JsonObject }

/** Which model an instance runs on. A claim is evidence for refusing, never for allowing. */
export interface Model {
  readonly name: string
  readonly tier: string
  readonly basis: 'attested' | 'claimed'
}
