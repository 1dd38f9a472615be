/** The agents that are there from the start: each with a key of its own, and one consent. */
import type { Caller } from '../../client/person.ts'
import { generateKey } from '../../client/key.ts'
import { isObject, type JsonObject } from '../../domain/json.ts'
import { agentFile, readAgent, saveAgent } from '../context.ts'
import type { PersonName } from './issuer.ts'
import { existsSync } from 'node:fs'

export interface Known {
  readonly name: string
  readonly sponsor: PersonName
}
export interface Seeded extends Known {
  readonly consent: Terms
}
export interface Terms {
  readonly tools: readonly string[]
  readonly purpose: string
  readonly constraints: readonly JsonObject[]
  readonly max_uses: number
  readonly max_hops?: number
}

export const REPORT_BOT: Seeded = {
  name: 'report-bot',
  sponsor: 'ana',
  consent: {
    tools: ['sql.query'],
    purpose: 'reporting',
    constraints: [{ key: 'facts.tables', subset_of: ['public.orders', 'public.customers'] }],
    max_uses: 1000,
    max_hops: 3,
  },
}
/** Nobody consented to anything for it: it does what others hand on to it. */
export const CHART_MAKER: Known = { name: 'chart-maker', sponsor: 'ana' }
export const REFUND_BOT: Seeded = {
  name: 'refund-bot',
  sponsor: 'kim',
  consent: {
    tools: ['payments.refund'],
    purpose: 'support.refunds',
    constraints: [{ key: 'facts.amount_minor', max: 20_000 }],
    max_uses: 100,
  },
}
export const KEEPER_BOT: Seeded = {
  name: 'keeper-bot',
  sponsor: 'kim',
  consent: { tools: ['sql.query'], purpose: 'maintenance', constraints: [], max_uses: 100 },
}

/** Registers the agent unless it is there, and consents unless a consent is in force. */
export async function seed(
  { name, consent }: Seeded,
  { sponsor, dataDir, seconds }: { sponsor: Caller; dataDir: string; seconds: number },
): Promise<{ agent: string; consent: JsonObject }> {
  const agent = await enrol(name, sponsor, dataDir)
  const { items } = await sponsor.get(`/v1/consents?agent_id=${agent}&status=active&limit=1`)
  const [standing] = Array.isArray(items) ? items.filter(isObject) : []
  return { agent, consent: standing ?? (await give(agent, consent, sponsor, seconds)) }
}

/** Registers the agent unless it is there. */
export async function enrol(name: string, sponsor: Caller, dataDir: string): Promise<string> {
  return (await known(name, sponsor, dataDir)) ?? (await register(name, sponsor, dataDir))
}

/** The agent of the key that lies here, where the broker knows it too. */
async function known(name: string, sponsor: Caller, dataDir: string): Promise<string | null> {
  if (!existsSync(agentFile(dataDir, name))) return null
  const { id } = readAgent(name, dataDir)
  const { items } = await sponsor.get('/v1/agents?limit=200')
  const found = Array.isArray(items) ? items.filter(isObject).find((it) => it['id'] === id) : null
  return found?.['status'] === 'active' ? id : null
}

async function register(name: string, sponsor: Caller, dataDir: string): Promise<string> {
  const key = generateKey()
  const workload = { kind: 'jwk', jwk: key.publicJwk }
  const { id } = await sponsor.post('/v1/agents', { name, workload })
  if (typeof id !== 'string') throw new Error(`${name} was not registered`)
  saveAgent(dataDir, name, { id, key })
  return id
}

async function give(
  agent: string,
  { tools, constraints, ...terms }: Terms,
  sponsor: Caller,
  seconds: number,
): Promise<JsonObject> {
  return await sponsor.post('/v1/consents', {
    ...{ agent_id: agent, tools: [...tools], constraints: [...constraints], ...terms },
    expires_at: new Date(Date.now() + seconds * 1000).toISOString(),
  })
}
