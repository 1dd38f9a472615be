/** What both servers of the bench stand on: one durable PostgreSQL, and for the broker keys, people and trust. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { clearData } from '../src/cli/dev/clear.ts'
import { type DevIssuer, startDevIssuer } from '../src/cli/dev/issuer.ts'
import { type Orders, prepareOrders } from '../src/cli/dev/orders.ts'
import { devTrust, ORDERS_TARGET } from '../src/cli/dev/trust.ts'
import { MIGRATIONS } from '../src/cli/home.ts'
import { sealTarget } from '../src/cli/seal-target.ts'
import { createUndo } from '../src/cli/signals.ts'
import { generateKey } from '../src/client/key.ts'
import { startEmbedded } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import { Secret } from '../src/domain/secret.ts'
import { createKeys } from '../src/keys.ts'
import { freePort } from '../src/cli/free-port.ts'
import { IDEAL_SCHEMA } from './ideal-store.ts'

export const POLICIES = join(import.meta.dirname, '..', 'policies')
/** Far beyond what one machine does: what is measured is the work, not the limit. */
const UNLIMITED = '1000000'
const CONCURRENT = '1000'
const IDEAL = 'ideal'

export interface BenchWorld {
  readonly people: DevIssuer
  readonly postgres: string
  readonly product: Side
  readonly ideal: Side
  /** On the same disk as the database. */
  readonly dataDir: string
  /** One port for all brokers of a run: their ledger is named after it. */
  readonly issuer: string
  /** The database that logins are made for. */
  readonly orders: Orders & { readonly target: string }
  stop(): Promise<void>
}
export interface Side {
  readonly databaseUrl: string
  readonly table: 'ledger.leaf' | 'leaf'
  /** A database in which the server's own log may be readable. */
  readonly walUrl: string
  readonly env: Readonly<Record<string, string>>
}

export interface Ways {
  /** The port by which the broker reaches the target that listens on this one. */
  readonly way?: (port: number) => Promise<number>
}

/** Starts it all, or nothing. Everything lies in a temporary folder, and goes with `stop`. */
export async function startWorld({ way }: Ways = {}): Promise<BenchWorld> {
  const undo = createUndo()
  try {
    return await start(undo, way)
  } catch (error) {
    await undo.run()
    throw error
  }
}

async function start(undo: ReturnType<typeof createUndo>, way: Ways['way']): Promise<BenchWorld> {
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
  const made = await prepareOrders(url)
  const orders = { ...made, port: (await way?.(made.port)) ?? made.port }
  const where = { databaseUrl: new Secret(url), tenant: 'main', keysDir, sealKey: null }
  await sealTarget(where, ORDERS_TARGET, orders.admin.password)
  const trust = join(folder, 'trust.yaml')
  writeFileSync(trust, JSON.stringify(devTrust(people, orders, generateKey())))
  const port = await freePort('127.0.0.1')
  const env = {
    ...{ DATABASE_URL: url, PROCURA_DATA: dataDir, PROCURA_TRUST: trust },
    ...{ PROCURA_PORT: String(port), PROCURA_CONCURRENT: CONCURRENT },
    ...{ PROCURA_POLICIES: POLICIES, PROCURA_LOG: 'error' },
    PROCURA_REQUESTS_PER_SECOND: UNLIMITED,
  }
  const idealUrl = await idealDatabase(url)
  return {
    ...{ people, dataDir, postgres: version, issuer: `http://localhost:${String(port)}` },
    product: { databaseUrl: url, table: 'ledger.leaf', walUrl: idealUrl, env },
    ideal: {
      ...{ databaseUrl: idealUrl, table: 'leaf', walUrl: idealUrl },
      env: { DATABASE_URL: idealUrl },
    },
    orders: { ...orders, target: ORDERS_TARGET },
    stop: () => undo.run(),
  }
}

/** On the same server, so that both wait for the same disk. */
async function idealDatabase(url: string): Promise<string> {
  const own = new URL(url)
  own.pathname = `/${IDEAL}`
  await withClient(url, (client) => client.query(`create database ${IDEAL}`))
  await withClient(own.href, async (client) => {
    await client.query(IDEAL_SCHEMA)
    await client.query(`do $$ begin create extension pg_walinspect;
      exception when undefined_file or feature_not_supported then null; end $$`)
  })
  return own.href
}

export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, application_name: 'procura-bench' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
