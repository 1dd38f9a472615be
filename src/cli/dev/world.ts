/** Everything that a broker stands among, on one machine and in one process: for trying, and for the demo. */
import { join } from 'node:path'
import {
  createCaller,
  createService,
  type Caller,
  type Introspecting,
} from '../../client/person.ts'
import type { Config } from '../../config.ts'
import type { Log } from '../../http/front.ts'
import { createKeys } from '../../keys.ts'
import { type Running, startServer } from '../../server.ts'
import { bringUpToDate, type OpenDatabase, openDatabase } from '../database.ts'
import { withTwoPorts } from '../free-port.ts'
import { sealTarget } from '../seal-target.ts'
import { createUndo } from '../signals.ts'
import { type PersonName, startDevIssuer } from './issuer.ts'
import { keptKey } from './kept-key.ts'
import { type Orders, prepareOrders } from './orders.ts'
import { devTrust, ORDERS_TARGET, SERVICE } from './trust.ts'

export interface World {
  readonly issuer: string
  /** Where the stand-in identity provider answers. */
  readonly people: string
  readonly running: Running
  readonly database: OpenDatabase
  readonly orders: Orders
  as(person: PersonName): Caller
  /** The target of `payments.refund`, calling as itself. */
  readonly service: Caller & Introspecting
  stop(): Promise<void>
}

/** Starts it all, or nothing: what was started is stopped where a later step fails. */
export async function startWorld(config: Config, log: Log): Promise<World> {
  const undo = createUndo()
  try {
    return await start(config, log, undo)
  } catch (error) {
    await undo.run()
    throw error
  }
}

type Undo = ReturnType<typeof createUndo>

async function start(given: Config, log: Log, undo: Undo): Promise<World> {
  const database = await openDatabase(given)
  undo.push(database.stop)
  // The database takes seconds to start: a port that was free before it may be taken after it.
  const config = await withTwoPorts(database.config)
  await bringUpToDate(config)
  await createKeys(config.keysDir)
  const orders = await prepareOrders(config.databaseUrl.reveal())
  await sealTarget(config, ORDERS_TARGET, orders.admin.password)

  const people = await startPeople(config)
  undo.push(() => people.stop())
  const serviceKey = keptKey(join(config.dataDir, 'services', `${SERVICE}.json`))
  const trust = devTrust(people, orders, serviceKey)
  const running = await startServer({ ...config, trust }, { log })
  undo.push(() => running.stop())

  const { issuer } = running
  return {
    ...{ issuer, people: people.url, running, database, orders },
    as: (person) => createCaller(issuer, () => people.token(person, issuer)),
    service: createService(issuer, SERVICE, serviceKey),
    stop: () => undo.run(),
  }
}

function startPeople({ port, dataDir }: Config) {
  const jwk = keptKey(join(dataDir, 'people.json')).exportJwk()
  return startDevIssuer({ port: port === 0 ? 0 : port + 1, jwk })
}
