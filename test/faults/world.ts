/** A broker whose database is one that can fail, over a line that can fail, under light load. */
import { readFileSync, writeFileSync } from 'node:fs'
import { type OwnOptions, type OwnPostgres, ownPostgres } from './postgres.ts'
import { type FaultProxy, startProxy } from './proxy.ts'
import { isObject, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { freshTarget, type TestTarget } from '../pg/database.ts'
import { type BrokerProcess, COMPILED, startBroker } from '../scenario/broker.ts'
import {
  aHouse,
  aRun,
  callers,
  type House,
  READING,
  REFUNDING,
  type Run,
} from '../scenario/house.ts'

export interface FaultWorld {
  readonly postgres: OwnPostgres
  /** Between the broker and its database. */
  readonly line: FaultProxy
  /** Between the broker and the database that it guards. */
  readonly targetLine: FaultProxy
  readonly target: TestTarget
  readonly home: House
  /** For brokers, over the lines. */
  readonly env: Readonly<Record<string, string>>
}

/** All but the brokers. */
export async function aFaultWorld(options: OwnOptions = {}): Promise<FaultWorld> {
  const [postgres, target] = await Promise.all([ownPostgres(options), freshTarget()])
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: postgres.url, shop })
  const line = await startProxy(postgres.port)
  const targetLine = await startProxy(Number(new URL(target.url).port))
  changeTrust(home, (trust) => {
    moveTarget(trust, 'orders-db', targetLine.port)
  })
  const proxied = new URL(postgres.url)
  proxied.port = String(line.port)
  return {
    ...{ postgres, line, targetLine, target, home },
    env: { ...home.env, DATABASE_URL: proxied.href },
  }
}

/** Rewrites the trust file of brokers that have not started yet. */
export function changeTrust({ env }: House, change: (trust: JsonObject) => void): void {
  const file = env['PROCURA_TRUST'] ?? ''
  const trust = parseTrusted(readFileSync(file, 'utf8'))
  if (!isObject(trust)) throw new Error('not a trust file')
  change(trust)
  writeFileSync(file, JSON.stringify(trust))
}

function moveTarget({ targets }: JsonObject, name: string, port: number): void {
  const target = isObject(targets) ? targets[name] : undefined
  if (!isObject(target)) throw new Error(`no target ${name}`)
  Object.assign(target, { port })
}

export interface FaultyBroker extends FaultWorld {
  readonly broker: BrokerProcess
  readonly issuer: string
  readonly by: ReturnType<typeof callers>
  /** For tokens, which need no target to be made. */
  readonly kim: Run
  /** For logins at the database that is guarded. */
  readonly ana: Run
  /** What `/readyz` says is failing, `null` where it says nothing is; or that nobody answers. */
  readonly failing: () => Promise<string | null>
}

/** With one broker, and agents that have a session. */
export async function aFaultyBroker(
  options: OwnOptions = {},
  more: Readonly<Record<string, string>> = {},
): Promise<FaultyBroker> {
  const world = await aFaultWorld(options)
  const broker = await startBroker({ ...world.env, ...COMPILED, ...more })
  return { ...world, broker, ...(await agentsAt(world.home, broker.issuer)) }
}

export async function agentsAt(home: House, issuer: string) {
  const by = callers(home, issuer)
  const uses = { max_uses: 1000 }
  const kim = await aRun(by.as('kim'), issuer, { ...REFUNDING, ...uses })
  const ana = await aRun(by.as('ana'), issuer, { ...READING, ...uses })
  await Promise.all([kim.client.connect(), ana.client.connect()])
  return { issuer, by, kim, ana, failing: () => failingAt(issuer) }
}

export async function failingAt(issuer: string): Promise<string | null> {
  try {
    const response = await fetch(`${issuer}/readyz`)
    if (response.status === 200) return null
    const body = parseTrusted(await response.text())
    return isObject(body) && typeof body['failing'] === 'string' ? body['failing'] : 'unknown'
  } catch {
    return 'nobody'
  }
}
