/** Two real brokers on one real PostgreSQL, and keys for everybody whom they believe. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseTrusted } from '../../src/domain/json.ts'
import { aHolder } from '../identity/signing.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { type BrokerProcess, COMPILED, startBroker } from '../scenario/broker.ts'
import { aHouse } from '../scenario/house.ts'
import { LOCKED } from './locked.ts'
import { ISSUERS, type Keys, OTHER_CI, OTHER_SHOP, SHOP, TRUST_DOMAIN } from './adaptor.ts'

const METER = pathToFileURL(join(import.meta.dirname, 'meter.ts')).href
const AUDIENCE = 'https://payments.example'
/** What both replicas answer to; nobody listens there, so that no check can rest on an address. */
export const ISSUER = 'https://broker.example'

export interface WorldOptions {
  /** More issuers of workload tokens, as in a trust file. */
  readonly workloads?: readonly object[]
  readonly env?: Readonly<Record<string, string>>
  /** Others call too, whose answers are not counted here. */
  readonly isFlooded?: boolean
}

export type TwoBrokers = Awaited<ReturnType<typeof startTwo>>

export async function startTwo({ workloads = [], env = {}, isFlooded = false }: WorldOptions) {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  const home = await aHouse({ databaseUrl: database.url, shop })
  const keys = someKeys()
  writeTrust(home.env['PROCURA_TRUST'] ?? '', keys, workloads)
  const start = (name: string, own: WorldOptions['env']) => startOne(home, name, { ...own, ...env })
  // Of two that are not flooded one goes by compiled rules, as at work, the other by Cedar alone.
  const other = isFlooded ? COMPILED : {}
  const brokers = await Promise.all([start('one', COMPILED), start('two', other)])
  return { database, target, home, keys, brokers }
}

export interface Replica extends BrokerProcess {
  readonly meter: string
}

async function startOne(
  home: Awaited<ReturnType<typeof aHouse>>,
  name: string,
  env: WorldOptions['env'],
): Promise<Replica> {
  const folder = join(home.dataDir, name)
  mkdirSync(folder)
  const meter = join(folder, 'meter.json')
  const settings = {
    ...home.env,
    ...{ PROCURA_ISSUER: ISSUER, PROCURA_REQUESTS_PER_SECOND: '50000' },
    ...{ PROCURA_CHECKPOINTS: join(folder, 'checkpoints') },
    ...{ NODE_OPTIONS: `--import ${METER} ${LOCKED}`, LINES_METER: meter },
    ...env,
  }
  // What they cost is looked at: they run as they do at work, but for who looks at them doing it.
  const broker = await startBroker(settings, [], { isAsShipped: true })
  return { ...broker, meter }
}

function someKeys(): Keys {
  return {
    idp: aHolder('ES256', 'idp-1'),
    ...{ ci: aHolder('RS256', 'same-kid'), otherCi: aHolder('RS256', 'same-kid') },
    spire: aHolder('ES256', 'spire-1'),
    ...{ shop: aHolder('ES256', 'shop-1'), otherShop: aHolder('ES256', 'shop-2') },
  }
}

/** What the house trusts, and those of the lines. */
function writeTrust(file: string, keys: Keys, more: readonly object[]): void {
  const trust = parseTrusted(readFileSync(file, 'utf8')) as {
    people: object[]
    services: object[]
    workloads?: object[]
  }
  const named = Object.fromEntries(
    ['sponsor', 'approver', 'auditor', 'operator'].map((role) => [role, [role]]),
  )
  const jwks = (holder: Keys['idp']) => ({ keys: [holder.jwk] })
  const roles = { claim: 'roles', ...named }
  trust.people.push({ issuer: ISSUERS.idp, jwks: jwks(keys.idp), roles })
  trust.services.push({ name: SHOP, audience: AUDIENCE, jwk: keys.shop.jwk })
  trust.services.push({
    name: OTHER_SHOP,
    audience: 'https://other.example',
    jwk: keys.otherShop.jwk,
  })
  trust.workloads = [
    ...(trust.workloads ?? []),
    { kind: 'oidc', issuer: ISSUERS.ci, jwks: jwks(keys.ci) },
    { kind: 'oidc', issuer: OTHER_CI, jwks: jwks(keys.otherCi) },
    { kind: 'spiffe', trust_domain: TRUST_DOMAIN, jwks: jwks(keys.spire) },
    ...more,
  ]
  writeFileSync(file, JSON.stringify(trust))
}
