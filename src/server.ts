/** The composition root: config → pools → parts → broker → app → listen → drain. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { createCdpHouse } from './cdp-house.ts'
import { createHouseClock, type HouseClock } from './clock.ts'
import type { Config } from './config.ts'
import { refuseUnsafeSettings } from './db/connect.ts'
import { refuseOthersRoles, refuseUnheardRole } from './db/login.ts'
import { expectedVersion, schemaVersion } from './db/migrate.ts'
import { isOutage } from './db/outage.ts'
import type { Secret } from './domain/secret.ts'
import { faultOf } from './fault.ts'
import { watchReadiness } from './health.ts'
import { keepHouse } from './housekeeping.ts'
import { createServer } from './http/create-server.ts'
import type { Log } from './http/front.ts'
import { type HeldSets, type Renew, renewing } from './key-renewal.ts'
import { loadKeys, type LoadOptions } from './keys.ts'
import { DRAIN_MS, endListening, listenAt } from './listening.ts'
import { createWhole } from './parts.ts'
import { createPdpHouse } from './pdp-house.ts'
import { type Ending, openPools, openSome, rolesOf, SIDES_OF } from './pools.ts'
import type { House } from './house.ts'
import { loadCdpKeys, loadPdpKeys } from './side-keys.ts'
import type { Slices } from './slices.ts'
import { type OpenToken, orReason, tokenOf } from './token.ts'

const HERE = join(import.meta.dirname, '..')
export const MIGRATIONS = join(HERE, 'migrations')
/** By then a client has used an idle connection once more, or has closed it: we do not close it on its request. */
const UNUSED_MS = 4500
const KEYS_MS = 2000

export interface Running {
  readonly issuer: string
  /** Not ready any more, no new connections, what is running is finished, then everything ends. */
  stop(): Promise<void>
}

export interface Surroundings {
  readonly log: Log
  /** The other workers, where there are any: what is counted is told of all of them. */
  readonly crew?: { metrics(own: () => string): () => Promise<string> } | undefined
}

/**
 * Starts a broker, or one of its two processes, on a migrated database.
 *
 * @throws Error when the database is not there, not durable or of another version, when keys are
 *   missing, or when the log is not the one that was seen before: it never starts in part
 */
export async function startServer(config: Config, around: Surroundings): Promise<Running> {
  const { databaseUrl: url } = config
  if (url === null) throw new TypeError('startServer needs the url of a database')
  const issuer = config.issuer ?? `http://localhost:${String(config.port)}`
  return await HOUSES[config.role]({ config, url, issuer, ...around })
}

interface Starting extends Surroundings {
  readonly config: Config
  readonly url: Secret
  readonly issuer: string
}

/** What each kind of process is made from: its own keys, and connections of its own roles. */
const HOUSES: Record<Config['role'], (starting: Starting) => Promise<Running>> = {
  async all(starting) {
    const { keys, ...held } = await keyring(starting, loadKeys)
    const pools = openPools(starting.url)
    return await started(starting, { ...held, pools, first: pools.front }, async (slices) =>
      createWhole({ ...slices, keys, pools, contract: contractText() }),
    )
  },
  async pdp(starting) {
    const { keys, ...held } = await keyring(starting, loadPdpKeys)
    const pools = openSome(starting.url, SIDES_OF.pdp)
    return await started(starting, { ...held, pools, first: pools.front }, async (slices) => {
      await refuseOthersRoles(pools.front, rolesOf(SIDES_OF.cdp))
      return await createPdpHouse({ ...slices, keys, pools, contract: contractText() })
    })
  },
  async cdp(starting) {
    const { keys, ...held } = await keyring(starting, loadCdpKeys)
    const pools = openSome(starting.url, SIDES_OF.cdp)
    return await started(starting, { ...held, pools, first: pools.cdp }, async (slices) => {
      await refuseOthersRoles(pools.cdp, rolesOf(SIDES_OF.pdp))
      return createCdpHouse({ ...slices, keys, pools })
    })
  },
}

/** The keys of its folder, and the token that some of them may be in. */
async function keyring<Sets extends HeldSets>(
  { config, log }: Starting,
  load: (dir: string, options: LoadOptions) => Promise<Sets>,
) {
  const warn = (warning: string) => {
    log.error({ warning }, 'a key is readable by others')
  }
  const { keysDir, sealKey, sealToken } = config
  const token = tokenOf(config, warn)
  const options = { sealKey, sealToken, token: token?.signers ?? null }
  const keys = await load(keysDir, { ...options, warn })
  return { keys, token, renew: renewing(keys, (now) => load(keysDir, { ...options, now })) }
}

const contractText = () => readFileSync(join(HERE, 'openapi.yaml'), 'utf8')

interface Opened {
  readonly pools: Ending
  /** Reads the keys again, which may have been changed since. */
  readonly renew: Renew
  readonly token: OpenToken | null
  /** The one that answers for the database at the start. */
  readonly first: Pool
}

async function started(
  starting: Starting,
  { pools, token, renew, first }: Opened,
  make: (slices: Slices) => Promise<House>,
): Promise<Running> {
  const { config, issuer, log } = starting
  try {
    await checkDatabase(first)
    const clock = await createHouseClock(first, () => new Date())
    await orReason(renew(clock.now())) // Which key signs is a matter of time, and now there is a clock.
    const house = await make({ config, issuer, log, token, clock: clock.now })
    return await serve(house, { ...starting, pools, renew, clock })
  } catch (error) {
    await pools.end()
    throw error
  }
}

async function checkDatabase(pool: Pool): Promise<void> {
  await refuseUnheardRole(pool)
  await refuseUnsafeSettings(pool)
  const [found, expected] = [await schemaVersion(pool), expectedVersion(MIGRATIONS)]
  if (found !== expected) {
    throw new Error(
      `the database is at schema ${String(found)}, this broker needs ${String(expected)}: ` +
        (found < expected ? 'run `procura migrate`' : 'run a newer broker'),
    )
  }
}

interface Serving extends Starting {
  readonly pools: Ending
  readonly renew: Renew
  readonly clock: HouseClock
}

async function serve(house: House, serving: Serving): Promise<Running> {
  const { config, issuer, pools, renew, clock, log, crew } = serving
  const { shared, halves } = house
  const begun: (() => Promise<void>)[] = []
  const endAll = async () => {
    for (const end of begun.splice(0).reverse()) await end()
  }
  try {
    for (const half of halves) begun.push(await half.begin())
    const own = () => shared.metrics.exposition()
    const metrics = crew?.metrics(own) ?? own
    const health = watchReadiness(house.health, () => clock.offsetMs())
    const server = createServer(house.app({ health, metrics }), issuer, config.proxies)
    await listenAt(server, config)
    const looking = [
      { name: 'look at the clock', everyMs: 5000, work: () => clock.check() },
      { name: 'look at the keys', everyMs: KEYS_MS, work: () => orReason(renew(clock.now())) },
    ]
    const chores = [...looking, ...halves.flatMap((half) => half.chores)]
    const keeping = keepHouse(chores, (chore, error) => {
      log.error({ chore, outage: isOutage(error), error: faultOf(error) }, 'a chore failed')
    })
    return {
      issuer,
      async stop() {
        shared.drain()
        server.prependListener('request', (_req, res) => res.setHeader('Connection', 'close'))
        const isBalanced = await health.told()
        const unusedMs = isBalanced ? UNUSED_MS : 0
        await Promise.all([
          endListening(server, unusedMs),
          ...halves.map((half) => half.drain?.(unusedMs)),
        ])
        await shared.running.settled(DRAIN_MS)
        await keeping.stop()
        await endAll()
        await pools.end()
      },
    }
  } catch (error) {
    await endAll()
    throw error
  }
}
