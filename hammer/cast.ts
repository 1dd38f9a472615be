/** Who calls: sponsors and their agents, somebody who says yes, the service that spends, an auditor. */
import { randomUUID } from 'node:crypto'
import { selfAssertion } from '../src/cli/context.ts'
import { textIn } from '../src/cli/member.ts'
import { type Client, createClient } from '../src/client/client.ts'
import { generateKey, type Key } from '../src/client/key.ts'
import type { JsonObject } from '../src/domain/json.ts'
import type { Caller } from './calls.ts'
import type { World } from './world.ts'

/** Longer than anything that is answered takes; shorter than a driver would wait for one that hangs. */
const TIMEOUT_MS = 12_000

export type SponsorName = 'ana' | 'kim'

export interface Agent {
  readonly id: string
  readonly name: string
  readonly sponsor: SponsorName
  readonly key: Key
}

/** One run of an agent: a key of its own, and one consent. */
export interface Run {
  readonly actor: string
  readonly sponsor: SponsorName
  readonly agent: Agent
  readonly key: Key
  readonly consent: string
  readonly client: Client
}

export interface Cast {
  readonly world: World
  readonly call: Caller
  readonly kim: Agent
  readonly ana: Agent
}

/** @throws Error when an agent cannot be registered, however often it is tried */
export async function gatherCast(world: World, call: Caller): Promise<Cast> {
  const [kim, ana] = [await register(world, call, 'kim'), await register(world, call, 'ana')]
  if (kim === null || ana === null) throw new Error('an agent was not registered')
  return { world, call, kim, ana }
}

/** Null where the sponsor gave up. */
export async function register(
  world: World,
  call: Caller,
  sponsor: SponsorName,
): Promise<Agent | null> {
  const [key, name, idempotencyKey] = [generateKey(), `${sponsor}s-bot`, randomUUID()]
  const workload = { kind: 'jwk', jwk: key.publicJwk }
  const called = { op: 'agent', actor: sponsor, sponsor, key: idempotencyKey } as const
  const made = await call(called, () =>
    world.as(sponsor).post('/v1/agents', { name, workload }, idempotencyKey),
  )
  return made.kind === 'done' ? { id: textIn(made.body, 'id'), name, sponsor, key } : null
}

export const REFUNDING = { tools: ['payments.refund'], purpose: 'support.refunds' }
export const READING = { tools: ['sql.query'], purpose: 'reporting' }

/** A consent of its own, and a fresh run under it. Null where the sponsor gave up. */
export async function newRun(
  { world, call }: Cast,
  agent: Agent,
  terms: JsonObject,
): Promise<Run | null> {
  const { sponsor } = agent
  const idempotencyKey = randomUUID()
  const body = {
    ...{ agent_id: agent.id, max_uses: 1000, ...terms },
    expires_at: new Date(Date.now() + 6 * 3_600_000).toISOString(),
  }
  const called = { op: 'consent', actor: sponsor, sponsor, key: idempotencyKey } as const
  const given = await call(called, () =>
    world.as(sponsor).post('/v1/consents', body, idempotencyKey),
  )
  if (given.kind !== 'done') return null

  const key = generateKey()
  const consent = textIn(given.body, 'id')
  const assertion = () => selfAssertion(agent.id, agent.key, world.issuer)
  const client = createClient({
    ...{ issuer: world.issuer, key, assertion, consent, timeoutMs: TIMEOUT_MS },
  })
  const actor = `${agent.name} ${key.jkt.slice(0, 8)}`
  return { actor, sponsor, agent, key, consent, client }
}
