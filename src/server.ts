/** The composition root: config → pools → parts → broker → app → listen → drain. */
import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { join } from 'node:path'
import { createHouseClock, type HouseClock } from './clock.ts'
import type { Config } from './config.ts'
import { refuseUnsafeSettings } from './db/connect.ts'
import { expectedVersion, schemaVersion } from './db/migrate.ts'
import { isOutage } from './db/outage.ts'
import { bySystem } from './domain/request.ts'
import { faultOf } from './fault.ts'
import { watchReadiness } from './health.ts'
import { keepHouse } from './housekeeping.ts'
import { createApp } from './http/app.ts'
import { createServer } from './http/create-server.ts'
import type { Log } from './http/front.ts'
import { loadKeys } from './keys.ts'
import { checkAgainstSeen, openLog } from './ledger/opening.ts'
import { createParts, type Parts } from './parts.ts'
import { openPools, type Pools } from './pools.ts'

const HERE = join(import.meta.dirname, '..')
export const MIGRATIONS = join(HERE, 'migrations')
const DRAIN_MS = 25_000
const IDLE_LOOK_MS = 50
/** By then a client has used an idle connection once more, or has closed it: we do not close it on its request. */
const UNUSED_MS = 4500

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
 * Starts a broker on a migrated database.
 *
 * @throws Error when the database is not there, not durable or of another version, when keys are
 *   missing, or when the log is not the one that was seen before: it never starts in part
 */
export async function startServer(config: Config, { log, crew }: Surroundings): Promise<Running> {
  if (config.databaseUrl === null) throw new TypeError('startServer needs the url of a database')
  const issuer = config.issuer ?? `http://localhost:${String(config.port)}`
  const keys = await loadKeys(config.keysDir, {
    sealKey: config.sealKey,
    warn: (text) => {
      log.error({ warning: text }, 'a key is readable by others')
    },
  })
  const pools = openPools(config.databaseUrl)
  try {
    await checkDatabase(pools)
    const clock = await createHouseClock(pools.front, () => new Date())
    const parts = await createParts({
      ...{ config, issuer, keys, pools, log, contract: contractText() },
      clock: clock.now,
    })
    return await serve(parts, { config, issuer, pools, clock, log, crew })
  } catch (error) {
    await pools.end()
    throw error
  }
}

const contractText = () => readFileSync(join(HERE, 'openapi.yaml'), 'utf8')

async function checkDatabase(pools: Pools): Promise<void> {
  await checkRole(pools.front)
  await refuseUnsafeSettings(pools.front)
  const [found, expected] = [await schemaVersion(pools.front), expectedVersion(MIGRATIONS)]
  if (found !== expected) {
    throw new Error(
      `the database is at schema ${String(found)}, this broker needs ${String(expected)}: ` +
        (found < expected ? 'run `procura migrate`' : 'run a newer broker'),
    )
  }
}

/** Roles and limits are options of a connection: without them it may do whatever its login may. */
async function checkRole(pool: Pools['front']): Promise<void> {
  const { rows } = await pool.query<{ role: string }>('select current_user as role')
  if (rows[0]?.role === 'procura_front') return
  throw new Error(
    'a connection does not get the role procura_front that it asks for: a pooler in between must pass on its options',
  )
}

interface Serving {
  readonly config: Config
  readonly issuer: string
  readonly pools: Pools
  readonly clock: HouseClock
}

async function serve(parts: Parts, serving: Serving & Surroundings): Promise<Running> {
  const { config, issuer, pools, clock, log, crew } = serving
  const { tenant, checkpointsFile } = config
  const { ledgerKey, ledgers, pdp, signer } = parts
  await checkAgainstSeen({
    tenant,
    pool: pools.signer,
    file: checkpointsFile,
    vkey: ledgerKey.vkey,
  })
  await openLog(ledgers.front, tenant, ledgerKey.origin)
  const unfollow = await pdp.follow()
  const unwatch = await pdp.watchFolder(config.policiesDir)
  await signer.signOnce()

  const { front } = parts
  const metrics = crew?.metrics(() => front.metrics()) ?? (() => front.metrics())
  const health = watchReadiness(front.health, () => clock.offsetMs())
  const server = createServer(createApp({ ...front, metrics, health }), issuer, config.proxies)
  await listen(server, config)
  parts.sweeper.start()
  const house = keepHouse(chores(parts, clock), (chore, error) => {
    log.error({ chore, outage: isOutage(error), error: faultOf(error) }, 'a chore failed')
  })
  return {
    issuer,
    async stop() {
      parts.drain()
      server.prependListener('request', (_req, res) => res.setHeader('Connection', 'close'))
      const isBalanced = await health.told()
      await close(server, isBalanced ? UNUSED_MS : 0)
      await parts.running.settled(DRAIN_MS)
      await Promise.all([house.stop(), parts.sweeper.stop()])
      unwatch()
      unfollow()
      await parts.refusals.flush()
      await signer.signOnce().catch((error: unknown) => {
        log.error({ error: faultOf(error) }, 'the last checkpoint was not signed')
      })
      await pools.end()
    },
  }
}

function chores(
  { signer, refusals, identity, approvals, ledgers, giveUpUnredeemed }: Parts,
  clock: HouseClock,
) {
  return [
    { name: 'look at the clock', everyMs: 5000, work: () => clock.check() },
    { name: 'sign checkpoints', everyMs: 1000, work: () => signer.signOnce() },
    { name: 'record refusals', everyMs: 10_000, work: () => refusals.flush() },
    {
      name: 'expire approvals',
      everyMs: 2000,
      work: () => approvals.expireDue(bySystem('expiry')),
    },
    { name: 'give up unredeemed decisions', everyMs: 5000, work: giveUpUnredeemed },
    { name: 'forget used proofs', everyMs: 10_000, work: () => identity.prune() },
    { name: 'forget answered keys', everyMs: 60_000, work: () => ledgers.prune() },
  ]
}

function listen(server: Server, { host, port }: Config): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** A connection goes when it has been idle for that long; whoever is being answered has until the end of the drain. */
function close(server: Server, unusedMs: number): Promise<void> {
  const since = performance.now()
  return new Promise((resolve) => {
    const idle = setInterval(() => {
      if (performance.now() - since >= unusedMs) server.closeIdleConnections()
    }, IDLE_LOOK_MS)
    const late = setTimeout(() => {
      server.closeAllConnections()
    }, DRAIN_MS)
    server.close(() => {
      clearInterval(idle)
      clearTimeout(late)
      resolve()
    })
  })
}
