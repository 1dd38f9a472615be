/** procura serve: the broker, until it is told to stop. */
import { Command } from 'commander'
import { bringUpToDate, openDatabase } from '../database.ts'
import { withPort } from '../free-port.ts'
import { createLogger } from '../log.ts'
import { lacksFixes } from '../node-version.ts'
import { printer } from '../print.ts'
import { configuration } from '../settings.ts'
import { createUndo, untilStopped } from '../signals.ts'

export function serveCommand(): Command {
  return new Command('serve')
    .description('the broker, as it runs at work: configured by the environment')
    .addHelpText(
      'before',
      'DATABASE_URL=postgres://… PROCURA_ISSUER=https://broker.example procura serve\n',
    )
    .action(serve)
}

/** Ends with nothing left running: who is being answered is answered, then the door is shut. */
async function serve(): Promise<void> {
  const warning = lacksFixes(process.versions.node)
  if (warning !== null) printer.note(`warning    ${warning}`)
  const undo = createUndo()
  const stopped = untilStopped()
  try {
    const { config, embedded, stop } = await openDatabase(await withPort(configuration()))
    undo.push(stop)
    // The database that was started here is nobody else's; with another, `procura migrate` comes first.
    if (embedded !== null) await bringUpToDate(config)
    const { startServer } = await import('../../server.ts')
    const running = await startServer(config, { log: createLogger(config.logLevel) })
    undo.push(() => running.stop())
    printer.line('ready', running.issuer)
    printer.line('listens', `${config.host}:${String(config.port)}`)
    await stopped
  } finally {
    await undo.run()
  }
}
