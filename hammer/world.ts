/** All that a broker stands among, for one run: a durable PostgreSQL, people, a shop to guard, replicas. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearData } from '../src/cli/dev/clear.ts'
import { type PersonName, startDevIssuer } from '../src/cli/dev/issuer.ts'
import { prepareOrders } from '../src/cli/dev/orders.ts'
import { devTrust, ORDERS_TARGET, SERVICE } from '../src/cli/dev/trust.ts'
import { MIGRATIONS } from '../src/cli/home.ts'
import { sealTarget } from '../src/cli/seal-target.ts'
import { createUndo } from '../src/cli/signals.ts'
import { generateKey } from '../src/client/key.ts'
import {
  type Caller,
  createCaller,
  createService,
  type Introspecting,
} from '../src/client/person.ts'
import { type Embedded, startEmbedded } from '../src/db/embedded.ts'
import { migrate } from '../src/db/migrate.ts'
import { Secret } from '../src/domain/secret.ts'
import { createKeys } from '../src/keys.ts'
import { startBalancer } from './balancer.ts'
import { type BrokerProcess, startBroker } from './process.ts'

const POLICIES = join(import.meta.dirname, '..', 'policies')
/** One machine asks for all: what is tried is not the limit for one source. */
const UNLIMITED = '1000000'
const CALLER_MS = 12_000

export interface World {
  readonly folder: string
  readonly issuer: string
  /** As the superuser. */
  readonly databaseUrl: string
  /** The database that is guarded, as the superuser. */
  readonly targetUrl: string
  readonly keysDir: string
  readonly replicas: readonly Replica[]
  /** What the replicas printed. */
  readonly logFiles: () => readonly string[]
  as(person: PersonName): Caller
  readonly service: Caller & Introspecting
  readonly postgres: { stop(): Promise<void>; start(): Promise<void> }
  stop(): Promise<void>
}

/** A place for a broker: one runs there, and another when that one is gone. */
export interface Replica {
  readonly number: number
  readonly broker: () => BrokerProcess
  /** Where the one before still runs it is ended first, by SIGKILL. */
  restart(): Promise<void>
}

/** Starts it all, or nothing. Everything lies in a temporary folder, and goes with `stop`. */
export async function startWorld(processes: number): Promise<World> {
  const undo = createUndo()
  try {
    return await start(processes, undo)
  } catch (error) {
    await undo.run()
    throw error
  }
}

type Undo = ReturnType<typeof createUndo>

async function start(processes: number, undo: Undo): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'procura-hammer-'))
  const dataDir = join(folder, 'data')
  undo.push(async () => {
    await clearData(dataDir)
    rmSync(folder, { recursive: true, force: true })
  })
  let database: Embedded = await startEmbedded({ dataDir, settings: SETTINGS })
  undo.push(() => database.stop())
  const { url } = database
  await migrate(url, { dir: MIGRATIONS })
  const people = await startDevIssuer({ port: 0 })
  undo.push(() => people.stop())
  const balancer = await startBalancer()
  undo.push(() => {
    balancer.stop()
    return Promise.resolve()
  })

  const { keysDir, trust, serviceKey } = await furnish(folder, url, people)
  const env = {
    ...{ DATABASE_URL: url, PROCURA_DATA: dataDir, PROCURA_TRUST: trust, PROCURA_KEYS: keysDir },
    ...{ PROCURA_POLICIES: POLICIES, PROCURA_REQUESTS_PER_SECOND: UNLIMITED },
    PROCURA_ISSUER: balancer.origin,
  }
  const replicas = await startReplicas(
    {
      processes,
      folder,
      env,
      to: (ports) => {
        balancer.to(ports)
      },
    },
    undo,
  )
  const issuer = balancer.origin
  return {
    ...{ folder, issuer, databaseUrl: url, targetUrl: sibling(url, 'orders'), keysDir, replicas },
    logFiles: () => replicas.map(({ number }) => logOf(folder, number)),
    as: (person) => createCaller(issuer, () => people.token(person, issuer), CALLER_MS),
    service: createService(issuer, SERVICE, serviceKey),
    postgres: {
      stop: () => database.stop(),
      async start() {
        database = await startEmbedded({ dataDir, settings: SETTINGS })
        if (database.url !== url) throw new Error('the database came back elsewhere')
      },
    },
    stop: () => undo.run(),
  }
}

const SETTINGS = { max_connections: '200', shared_buffers: '64MB' }
const logOf = (folder: string, number: number) => join(folder, `broker-${String(number)}.log`)
export const witnessOf = (folder: string, number: number) =>
  join(folder, `checkpoints-${String(number)}`)

function sibling(url: string, name: string): string {
  const own = new URL(url)
  own.pathname = `/${name}`
  return own.href
}

async function furnish(
  folder: string,
  url: string,
  people: Awaited<ReturnType<typeof startDevIssuer>>,
) {
  const keysDir = join(folder, 'keys')
  mkdirSync(keysDir, { recursive: true, mode: 0o700 })
  await createKeys(keysDir)
  const orders = await prepareOrders(url)
  const where = { databaseUrl: new Secret(url), tenant: 'main', keysDir, sealKey: null }
  await sealTarget(where, ORDERS_TARGET, orders.admin.password)
  const serviceKey = generateKey()
  const trust = join(folder, 'trust.yaml')
  writeFileSync(trust, JSON.stringify(devTrust(people, orders, serviceKey)))
  return { keysDir, trust, serviceKey }
}

interface Housing {
  readonly processes: number
  readonly folder: string
  readonly env: Readonly<Record<string, string>>
  readonly to: (ports: readonly number[]) => void
}

async function startReplicas({ processes, folder, env, to }: Housing, undo: Undo) {
  const running: BrokerProcess[] = []
  const route = () => {
    to(running.map(({ port }) => port))
  }
  const begin = async (number: number) => {
    const own = { ...env, PROCURA_CHECKPOINTS: witnessOf(folder, number) }
    running[number] = await startBroker({ env: own, logFile: logOf(folder, number) })
    route()
  }
  undo.push(async () => {
    await Promise.all(running.map((broker) => broker.stop()))
  })
  for (let number = 0; number < processes; number += 1) await begin(number)
  return Array.from({ length: processes }, (_, number): Replica => {
    const broker = () => {
      const it = running[number]
      if (it === undefined) throw new RangeError('there is no such replica')
      return it
    }
    return {
      ...{ number, broker },
      async restart() {
        broker().signal('SIGKILL')
        await broker().ended
        await begin(number)
      },
    }
  })
}
