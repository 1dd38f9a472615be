/** All that brokers of a test share: a database, keys, people, a shop to guard and its policies. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DevIssuer, type PersonName, startDevIssuer } from '../../src/cli/dev/issuer.ts'
import { prepareOrders } from '../../src/cli/dev/orders.ts'
import { devTrust, ORDERS_TARGET, SERVICE } from '../../src/cli/dev/trust.ts'
import { textIn } from '../../src/cli/member.ts'
import { sealTarget } from '../../src/cli/seal-target.ts'
import { type Client, createClient } from '../../src/client/client.ts'
import { generateKey, type Key } from '../../src/client/key.ts'
import { type Caller, createCaller, createService } from '../../src/client/person.ts'
import { selfAssertion } from '../../src/cli/context.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createKeys } from '../../src/keys.ts'
import { afterBrokers } from './broker.ts'

const POLICIES = join(import.meta.dirname, '..', '..', 'policies')
const ROLE = /\b(orders|customers|archive|payroll)_(read|write|owner)\b/g

export interface House {
  readonly dataDir: string
  readonly keysDir: string
  /** For any broker of this house. */
  readonly env: Readonly<Record<string, string>>
  readonly people: DevIssuer
  readonly serviceKey: Key
  /** Seals what its shop is guarded with anew, with the seal in this folder. */
  readonly sealWith: (keysDir: string) => Promise<void>
  /** What it is guarded with. */
  readonly guarded: Secret
}

export interface HouseOptions {
  /** Migrated. */
  readonly databaseUrl: string
  /** Where the shop is: its server's superuser, the database, and how its roles end. */
  readonly shop: { readonly url: string; readonly database: string; readonly ending: string }
}

export async function aHouse({ databaseUrl, shop }: HouseOptions): Promise<House> {
  const dataDir = mkdtempSync(join(tmpdir(), 'procura-scenario-'))
  const keysDir = join(dataDir, 'keys')
  const people = await startDevIssuer({ port: 0 })
  afterBrokers(async () => {
    await people.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  await createKeys(keysDir)
  const serviceKey = generateKey()
  const orders = await prepareOrders(shop.url, shop)
  const where = { databaseUrl: new Secret(databaseUrl), tenant: 'main', sealKey: null }
  const sealWith = (folder: string) =>
    sealTarget({ ...where, keysDir: folder }, ORDERS_TARGET, orders.admin.password)
  await sealWith(keysDir)

  const trust = join(dataDir, 'trust.yaml')
  writeFileSync(trust, JSON.stringify(devTrust(people, orders, serviceKey)))
  const env = {
    ...{ DATABASE_URL: databaseUrl, PROCURA_DATA: dataDir, PROCURA_TRUST: trust },
    PROCURA_POLICIES: policiesFor(shop.ending, dataDir),
  }
  const guarded = orders.admin.password
  return { dataDir, keysDir, env, people, serviceKey, sealWith, guarded }
}

/** What is shipped, with the names that this shop's roles have on a server that others use too. */
function policiesFor(ending: string, dataDir: string): string {
  const folder = join(dataDir, 'policies')
  cpSync(POLICIES, folder, { recursive: true })
  const tool = join(folder, 'tools', 'sql.query.yaml')
  writeFileSync(
    tool,
    readFileSync(tool, 'utf8').replaceAll(ROLE, (name) => name + ending),
  )
  return folder
}

/** Whoever calls the broker at `issuer`. */
export function callers({ people, serviceKey }: House, issuer: string) {
  return {
    as: (person: PersonName): Caller => createCaller(issuer, () => people.token(person, issuer)),
    service: createService(issuer, SERVICE, serviceKey),
  }
}

export interface Run {
  readonly agent: string
  readonly key: Key
  readonly client: Client
  readonly consent: string
}

/** Registers an agent, consents, and starts one run of it. */
export async function aRun(sponsor: Caller, issuer: string, consent: JsonObject): Promise<Run> {
  const registered = generateKey()
  const workload = { kind: 'jwk', jwk: registered.publicJwk }
  const agent = textIn(await sponsor.post('/v1/agents', { name: 'report-bot', workload }), 'id')
  const given = await sponsor.post('/v1/consents', {
    ...{ agent_id: agent, expires_at: inOneHour(), max_uses: 20, ...consent },
  })
  const key = generateKey()
  const assertion = () => selfAssertion(agent, registered, issuer)
  const client = createClient({ issuer, key, assertion, timeoutMs: 30_000 })
  return { agent, key, client, consent: textIn(given, 'id') }
}

export const inOneHour = () => new Date(Date.now() + 3_600_000).toISOString()

export const READING: JsonObject = {
  tools: ['sql.query'],
  purpose: 'reporting',
  constraints: [{ key: 'facts.tables', subset_of: ['public.orders', 'public.customers'] }],
}
export const REFUNDING: JsonObject = { tools: ['payments.refund'], purpose: 'support.refunds' }
export const REFUND: JsonObject = { order_id: 'EU-2026/10231', amount: 900, currency: 'EUR' }
export const COUNT = 'select count(*) from orders'

/** Waits for something that must become so. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | null | false>,
  seconds = 15,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (;;) {
    const found = await look()
    if (found !== null && found !== false) return found
    if (performance.now() > deadline) throw new Error(`${what} did not come about`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
