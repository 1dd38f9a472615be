/** What both servers of the bench stand on: one durable PostgreSQL, and for the broker keys, people and trust. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { clearData } from '../src/cli/dev/clear.ts'
import { type DevIssuer, startDevIssuer } from '../src/cli/dev/issuer.ts'
import { prepareOrders } from '../src/cli/dev/orders.ts'
import { devTrust, ORDERS_TARGET } from '../src/cli/dev/trust.ts'
import { MIGRATIONS } from '../src/cli/home.ts'
import { sealTarget } from '../src/cli/seal-target.ts'
import { createUndo } from '../src/cli/signals.ts'
import { generateKey } from '../src/client/key.ts'
import { startEmbedded } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import { Secret } from '../src/domain/secret.ts'
import { createKeys } from '../src/keys.ts'

export const POLICIES = join(import.meta.dirname, '..', 'policies')
/** Far beyond what one machine does: what is measured is the work, not the limit. */
const UNLIMITED = '1000000'
const IDEAL = 'ideal'

export interface BenchWorld {
  readonly people: DevIssuer
  readonly postgres: string
  readonly product: Side
  readonly ideal: Side
  stop(): Promise<void>
}
export interface Side {
  readonly databaseUrl: string
  readonly env: Readonly<Record<string, string>>
}

/** Starts it all, or nothing. Everything lies in a temporary folder, and goes with `stop`. */
export async function startWorld(): Promise<BenchWorld> {
  const undo = createUndo()
  try {
    return await start(undo)
  } catch (error) {
    await undo.run()
    throw error
  }
}

async function start(undo: ReturnType<typeof createUndo>): Promise<BenchWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))
  const dataDir = join(folder, 'data')
  undo.push(async () => {
    await clearData(dataDir)
    rmSync(folder, { recursive: true, force: true })
  })
  const { url, version, stop } = await startEmbedded({ dataDir })
  undo.push(stop)
  await migrate(url, { dir: MIGRATIONS })
  const people = await startDevIssuer({ port: 0 })
  undo.push(() => people.stop())

  const keysDir = join(dataDir, 'keys')
  await createKeys(keysDir)
  const orders = await prepareOrders(url)
  const where = { databaseUrl: new Secret(url), tenant: 'main', keysDir, sealKey: null }
  await sealTarget(where, ORDERS_TARGET, orders.admin.password)
  const trust = join(folder, 'trust.yaml')
  writeFileSync(trust, JSON.stringify(devTrust(people, orders, generateKey())))
  const env = {
    ...{ DATABASE_URL: url, PROCURA_DATA: dataDir, PROCURA_TRUST: trust, PROCURA_PORT: '0' },
    ...{ PROCURA_POLICIES: POLICIES, PROCURA_LOG: 'error' },
    PROCURA_REQUESTS_PER_SECOND: UNLIMITED,
  }
  const idealUrl = await idealDatabase(url)
  return {
    ...{ people, postgres: version, product: { databaseUrl: url, env } },
    ideal: { databaseUrl: idealUrl, env: { DATABASE_URL: idealUrl } },
    stop: () => undo.run(),
  }
}

/** On the same server, so that both wait for the same disk. */
async function idealDatabase(url: string): Promise<string> {
  const own = new URL(url)
  own.pathname = `/${IDEAL}`
  await withClient(url, (client) => client.query(`create database ${IDEAL}`))
  await withClient(own.href, (client) => client.query(IDEAL_SCHEMA))
  return own.href
}

const IDEAL_SCHEMA = `
create table leaf (
  index bigint primary key, event_id text not null unique, entry text not null, hash bytea not null);
create table budget (account text primary key, bound bigint not null, used bigint not null default 0);
create table intent (id text primary key, entry text not null);
create table lease (id text primary key, activated_at timestamptz not null default now())`

export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'procura-bench' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
