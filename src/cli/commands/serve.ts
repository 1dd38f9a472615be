/** procura serve: the broker, until it is told to stop; as one process, or as several workers. */
import cluster from 'node:cluster'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Config } from '../../config.ts'
import { CONNECTIONS_MAX } from '../../pools.ts'
import { bringUpToDate, openDatabase } from '../database.ts'
import { CommandError } from '../exit.ts'
import { withPort } from '../free-port.ts'
import { createLogger } from '../log.ts'
import { printer } from '../print.ts'
import { admitRuntime, loadServer } from '../runtime.ts'
import { configuration } from '../settings.ts'
import { createUndo, untilStopped } from '../signals.ts'
import { countOf, shareOf } from '../worker-share.ts'

type Workers = Config['workers']
interface Options {
  readonly role?: Config['role']
  readonly workers?: Workers
  readonly strictRuntime?: boolean
}
const WORKERS_MAX = 64
/** For commands beside the broker, and the server's own. */
const CONNECTIONS_BESIDE = 72

export function serveCommand(): Command {
  return new Command('serve')
    .description('the broker, as it runs at work: configured by the environment')
    .addOption(roleOption())
    .option('--workers <n>', 'processes that serve; auto: one for each core', readCount)
    .option('--strict-runtime', 'do not start on a Node that lacks known security fixes')
    .addHelpText(
      'before',
      'DATABASE_URL=postgres://… PROCURA_ISSUER=https://broker.example procura serve\n',
    )
    .action(async ({ role, workers: given, strictRuntime = false }: Options) => {
      if (cluster.isPrimary) admitRuntime(strictRuntime)
      const config = configuration(role)
      const workers = countOf(given ?? config.workers)
      await (cluster.isWorker ? serveAsWorker(config, workers) : serve(config, workers))
    })
}

export const roleOption = () =>
  new Option('--role <role>', 'both sides, or one of two processes').choices(['all', 'pdp', 'cdp'])

function readCount(text: string): Workers {
  const count = Number(text)
  if (text === 'auto' || (/^[1-9]\d?$/.test(text) && count <= WORKERS_MAX)) {
    return text === 'auto' ? text : count
  }
  throw new InvalidArgumentError(`auto, or a whole number up to ${String(WORKERS_MAX)}`)
}

/** Ends with nothing left running: who is being answered is answered, then the door is shut. */
async function serve(given: Config, workers: number): Promise<void> {
  const undo = createUndo()
  const stopped = untilStopped()
  try {
    const room = { max_connections: String(CONNECTIONS_BESIDE + workers * CONNECTIONS_MAX) }
    const { config: opened, embedded, stop } = await openDatabase(given, room)
    undo.push(stop)
    // The database takes seconds to start: a port that was free before it may be taken after it.
    const config = await withPort(opened)
    // The database that was started here is nobody else's; with another, `procura migrate` comes first.
    if (embedded !== null) await bringUpToDate(config)
    const { running, issuer } = await (workers === 1
      ? startOne(config)
      : startCrew(config, workers))
    undo.push(() => running.stop())
    printer.line('ready', issuer)
    printer.line('listens', `${config.host}:${String(config.port)}`)
    if (config.role !== 'all') printer.line('role', config.role)
    if (workers > 1) printer.line('workers', String(workers))
    await stopped
  } finally {
    await undo.run()
  }
}

async function startOne(config: Config) {
  const startServer = await loadServer()
  const running = await startServer(config, { log: createLogger(config.logLevel) })
  return { running, issuer: running.issuer }
}

/** @throws CommandError when a worker does not start, with its exit code: it has said why itself */
async function startCrew(config: Config, count: number) {
  const { databaseUrl, issuer, port, role } = config
  if (databaseUrl === null) throw new TypeError('workers need the url of a database')
  const { refuseTooManyWorkers, startWorkers, WorkerFailed } = await import('../../workers.ts')
  await refuseTooManyWorkers(databaseUrl, count)
  // Each reads its own configuration; what was found out here is the same for all of them.
  const found = {
    DATABASE_URL: databaseUrl.reveal(),
    PROCURA_PORT: String(port),
    PROCURA_ROLE: role,
  }
  const files = { DATABASE_URL_FILE: undefined, PROCURA_PORT_FILE: undefined }
  const env = { ...found, ...files, PROCURA_ROLE_FILE: undefined }
  const running = await startWorkers({
    count,
    env,
    say: (text) => {
      printer.note(text)
    },
  }).catch((error: unknown) => {
    if (error instanceof WorkerFailed) throw new CommandError(error.message, error.exit)
    throw error
  })
  return { running, issuer: issuer ?? `http://localhost:${String(port)}` }
}

/** A replica, but that it gives its share only of what may be asked in a second, and of a target. */
async function serveAsWorker(config: Config, workers: number): Promise<void> {
  const { joinCrew } = await import('../../worker.ts')
  const crew = joinCrew()
  try {
    const startServer = await loadServer()
    const log = createLogger(config.logLevel)
    const running = await startServer(shareOf(config, workers), { log, crew })
    crew.ready()
    await crew.told
    await running.stop()
  } finally {
    crew.leave()
  }
}
