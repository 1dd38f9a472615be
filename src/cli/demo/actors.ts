/** Who takes part in the demo: agents that run with keys of their own, and the database they are let into. */
import { createClient, type Client, type CredentialAnswer } from '../../client/client.ts'
import { generateKey, type Key } from '../../client/key.ts'
import type { JsonObject } from '../../domain/json.ts'
import { readAgent, selfAssertion } from '../context.ts'
import { type Seeded, seed } from '../dev/seed.ts'
import type { World } from '../dev/world.ts'

export interface Stage {
  readonly world: World
  readonly dataDir: string
  /** The guarded database, as its owner. */
  readonly targetUrl: string
}

/** One run of an agent: its own key, apart from the one the agent was registered with. */
export interface Actor {
  readonly name: string
  readonly agent: string
  readonly consent: JsonObject
  readonly key: Key
  readonly client: Client
}

/** Registered, consented to for the day, and started. */
export async function actor({ world, dataDir }: Stage, seeded: Seeded): Promise<Actor> {
  const sponsor = world.as(seeded.sponsor)
  const { agent, consent } = await seed(seeded, { sponsor, dataDir, seconds: 8 * 3600 })
  const { issuer } = world
  const { key: registered } = readAgent(seeded.name, dataDir)
  const key = generateKey()
  const assertion = () => selfAssertion(agent, registered, issuer)
  const client = createClient({ issuer, key, assertion })
  return { name: seeded.name, agent, consent, key, client }
}

export interface Held {
  readonly id: string
  readonly credential: JsonObject
  readonly body: JsonObject
}

export function held(answer: CredentialAnswer): Held {
  if (answer.status !== 'active') throw new Error('expected a credential, and a person was asked')
  return answer
}

/** One statement, one login. */
export async function askFor(
  { client }: Actor,
  sql: string,
  more: { purpose?: string; approval?: string; ttl_seconds?: number } = {},
): Promise<Held> {
  return held(await client.requestCredential({ tool: 'sql.query', arguments: { sql }, ...more }))
}
