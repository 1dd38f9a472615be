/** procura dev: a whole broker on this machine, with people, agents and a database to guard. */
import { relative } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Command } from 'commander'
import type { Config } from '../../config.ts'
import { agentFile, lastIssuer, saveState } from '../context.ts'
import { clearData } from '../dev/clear.ts'
import { CHART_MAKER, enrol, KEEPER_BOT, REFUND_BOT, REPORT_BOT, seed } from '../dev/seed.ts'
import type { World } from '../dev/world.ts'
import { CommandError, EXIT } from '../exit.ts'
import { PROCURA } from '../how.ts'
import { fetchCheckpoint, headOf } from '../ledger-export.ts'
import { createLogger } from '../log.ts'
import { printer } from '../print.ts'
import { configurationToTry } from '../settings.ts'
import { untilStopped } from '../signals.ts'
import { policySummary } from './policy.ts'

const CONSENT_SECONDS = 30 * 86_400

export function devCommand(): Command {
  return new Command('dev')
    .description('a broker on this machine, with people, agents and a database to guard')
    .option('--reset', 'begin anew: what the data folder holds is deleted first')
    .addHelpText('before', 'procura dev\n')
    .action(dev)
}

async function dev({ reset }: { reset?: boolean }): Promise<void> {
  const given = configurationToTry()
  if (reset === true) await startOver(given)
  const config = asBefore(given)
  const stopped = untilStopped()
  const policies = policySummary(config.policiesDir)
  const { startWorld } = await import('../dev/world.ts')
  const level = config.logLevel === 'info' ? 'warn' : config.logLevel
  const world = await startWorld(config, createLogger(level))
  try {
    await populate(world, config)
    saveState(config.dataDir, { issuer: world.issuer, people: world.people })
    await welcome(world, config, await policies)
    await stopped
    printer.note('\nstopping; the state stays')
  } finally {
    await world.stop()
  }
}

/** Its tokens and its ledger name the issuer: a folder has one for good. */
function asBefore(config: Config): Config {
  const before = lastIssuer(config.dataDir)
  if (before === null || config.issuer !== null) return config
  const port = Number(new URL(before).port)
  if (config.port === 0 || config.port === port) return { ...config, port }
  const what = `what lies in ${config.dataDir} is that of ${before}`
  throw new CommandError(
    `${what}: use port ${String(port)}, or begin anew with --reset`,
    EXIT.usage,
  )
}

async function startOver({ databaseUrl, dataDir }: Config): Promise<void> {
  if (databaseUrl !== null) {
    throw new CommandError('--reset would leave the database of DATABASE_URL as it is', EXIT.usage)
  }
  await clearData(dataDir)
}

async function populate(world: World, { dataDir }: Config): Promise<void> {
  for (const agent of [REPORT_BOT, KEEPER_BOT, REFUND_BOT]) {
    const sponsor = world.as(agent.sponsor)
    await seed(agent, { sponsor, dataDir, seconds: CONSENT_SECONDS })
  }
  await enrol(CHART_MAKER.name, world.as(CHART_MAKER.sponsor), dataDir)
}

async function welcome(world: World, config: Config, policies: string): Promise<void> {
  const row = (label: string, what: string, more = '') => {
    printer.line(`  ${label}`, `${what.padEnd(28)} ${more}`)
  }
  const near = (path: string) => relative('', path) || '.'
  const key = near(agentFile(config.dataDir, REPORT_BOT.name))
  printer.line('procura dev · everything runs in this process and stays on this machine')
  row('api', world.issuer, 'its contract is at /docs')
  row('people', 'ana, kim', 'sponsor agents; ben approves, lee operates, cleo audits: --as ben')
  row('agent', REPORT_BOT.name, `key ${key}; keeper-bot, refund-bot, chart-maker beside it`)
  row('guarded', 'orders-db, payments', databaseTold(world))
  row('policy', near(config.policiesDir), `${policies}, reloads when you save`)
  row('ledger', `${String(await signedSize(world))} entries`, 'checkpoint signed')
  printer.line('')
  printer.line(
    'next:',
    `${PROCURA} get sql.query --sql "select count(*) from orders" --purpose reporting`,
  )
  printer.line('', `${PROCURA} explain sql.query --sql "select * from payroll"`)
  printer.line(
    '',
    `${PROCURA} delegate --to chart-maker --calls 5 --where facts.tables=public.orders`,
  )
  printer.line('', `${PROCURA} get sql.query --agent keeper-bot --sql "drop table orders_archive"`)
  printer.line('', `(ctrl-c stops it; state stays in ${near(config.dataDir)}, --reset removes it)`)
}

/** Entries that the newest checkpoint covers, once it covers what was done here. */
async function signedSize(world: World): Promise<number> {
  const { size } = await world.as('cleo').get('/v1/ledger/entries?limit=1')
  for (;;) {
    const signed = headOf(await fetchCheckpoint(world.issuer)).size
    if (signed >= Number(size)) return signed
    await pause(50)
  }
}

function databaseTold({ database: { embedded } }: World): string {
  return embedded === null
    ? 'in the PostgreSQL of DATABASE_URL'
    : `in a PostgreSQL ${embedded.version} that was started for it`
}
