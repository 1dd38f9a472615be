/** Agents, and the models they run on: as they say, or as their platform does. */
import type { AgentId, PersonId } from './ids.ts'
import { isObject, type Json, type JsonObject } from './json.ts'

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

/** `{name, tier}`, each of 1 to 100 printable characters, and nothing else; `null` for anything else. */
export function modelOf(value: Json, basis: Model['basis']): Model | null {
  if (!isObject(value)) return null
  const { name, tier, ...others } = value
  const isWhole = isWord(name) && isWord(tier) && Object.keys(others).length === 0
  return isWhole ? { name, tier, basis } : null
}

function isWord(value: Json | undefined): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,100}$/.test(value)
}
