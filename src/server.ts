/** The composition root: config → pools → parts → broker → app → listen → drain. */
import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { refuseUnsafeSettings } from './db/connect.ts'
import { expectedVersion, schemaVersion } from './db/migrate.ts'
import { isOutage } from './db/outage.ts'
import { bySystem } from './domain/request.ts'
import { faultOf } from './fault.ts'
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

export interface Running {
  readonly issuer: string
  /** Not ready any more, no new connections, what is running is finished, then everything ends. */
  stop(): Promise<void>
}

/**
 * Starts a broker on a migrated database.
 *
 * @throws Error when the database is not there, not durable or of another version, when keys are
 *   missing, or when the log is not the one that was seen before: it never starts in part
 */
export async function startServer(config: Config, { log }: { log: Log }): Promise<Running> {
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
    const parts = await createParts({
      ...{ config, issuer, keys, pools, log, contract: contractText() },
      clock: () => new Date(),
    })
    return await serve(parts, { config, issuer, pools, log })
  } catch (error) {
    await pools.end()
    throw error
  }
}

const contractText = () => readFileSync(join(HERE, 'openapi.yaml'), 'utf8')

async function checkDatabase(pools: Pools): Promise<void> {
  await refuseUnsafeSettings(pools.front)
  const [found, expected] = [await schemaVersion(pools.front), expectedVersion(MIGRATIONS)]
  if (found !== expected) {
    throw new Error(
      `the database is at schema ${String(found)}, this broker needs ${String(expected)}: ` +
        (found < expected ? 'run `procura migrate`' : 'run a newer broker'),
    )
  }
}

interface Serving {
  readonly config: Config
  readonly issuer: string
  readonly pools: Pools
  readonly log: Log
}

async function serve(parts: Parts, { config, issuer, pools, log }: Serving): Promise<Running> {
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

  const server = createServer(createApp(parts.front), issuer)
  await listen(server, config)
  parts.sweeper.start()
  const house = keepHouse(chores(parts), (chore, error) => {
    log.error({ chore, outage: isOutage(error), error: faultOf(error) }, 'a chore failed')
  })
  return {
    issuer,
    async stop() {
      parts.drain()
      await close(server)
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

function chores({ signer, refusals, identity, approvals, ledgers }: Parts) {
  return [
    { name: 'sign checkpoints', everyMs: 1000, work: () => signer.signOnce() },
    { name: 'record refusals', everyMs: 10_000, work: () => refusals.flush() },
    {
      name: 'expire approvals',
      everyMs: 2000,
      work: () => approvals.expireDue(bySystem('expiry')),
    },
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

/** A connection goes as soon as it is idle; whoever is being answered has until the end of the drain. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const idle = setInterval(() => {
      server.closeIdleConnections()
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
