/** procura demo: the main job from a consent to a verified record, each step done and looked at. */
import { join, relative } from 'node:path'
import { performance } from 'node:perf_hooks'
import { Command } from 'commander'
import type { Config } from '../../config.ts'
import type { Stage } from '../demo/actors.ts'
import { verify, withdraw } from '../demo/ending.ts'
import { askTarget } from '../demo/login.ts'
import { narrow } from '../demo/narrowing.ts'
import { refund } from '../demo/refunding.ts'
import { refuse } from '../demo/refusing.ts'
import { check, createTeller, onlyTold, StepFailed, type Tell, told } from '../demo/tell.ts'
import { expired, useOne } from '../demo/using.ts'
import { clearData } from '../dev/clear.ts'
import type { World } from '../dev/world.ts'
import { EXIT } from '../exit.ts'
import { createLogger } from '../log.ts'
import { printer } from '../print.ts'
import { configurationToTry } from '../settings.ts'
import { waterfall } from '../waterfall.ts'

export function demoCommand(): Command {
  return new Command('demo')
    .description('the main job, once, for real; then everything is gone again')
    .addHelpText('before', 'procura demo\n')
    .action(demo)
}

async function demo(): Promise<void> {
  const config = demoConfig(configurationToTry())
  await clearData(config.dataDir)
  const { tell, shown } = createTeller()
  let world: World | null = null
  let failed = 0
  try {
    world = await tell('database', () => start(config))
    await story(world, config, tell)
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    failed = 1
    printer.line('FAILED', `${error.label}: ${error.message}`)
    process.exitCode = EXIT.failed
  } finally {
    await world?.stop()
  }
  if (world !== null) await checkStopped(world)
  if (failed === 0) await clearData(config.dataDir, RECORD)
  const counts = `${String(shown())} things shown, ${String(failed)} failed`
  printer.line('done', `${counts} · nothing left running`)
}

/** What stays, for whoever wants to check it. */
const RECORD = ['ledger.jsonl', 'ledger.vkey']

/** A folder and a database of its own, whatever else is configured. */
function demoConfig(config: Config): Config {
  const dataDir = join(config.dataDir, 'demo')
  return {
    ...config,
    ...{ dataDir, keysDir: join(dataDir, 'keys'), checkpointsFile: join(dataDir, 'checkpoints') },
    ...{ databaseUrl: null, issuer: null, host: '127.0.0.1', port: 0, sealKey: null },
    ...{ sealToken: null, signerToken: null },
  }
}

async function start(config: Config) {
  const since = performance.now()
  const { startWorld } = await import('../dev/world.ts')
  const world = await startWorld(config, createLogger('error'))
  const { embedded } = world.database
  const took = `${((performance.now() - since) / 1000).toFixed(1)} s`
  const folder = relative('', config.dataDir)
  return told(`PostgreSQL ${embedded?.version ?? ''} (embedded) · ${took} · ${folder}`, world)
}

async function story(world: World, { dataDir }: Config, tell: Tell): Promise<void> {
  const targetUrl = ownerUrl(world)
  const stage: Stage = { world, dataDir, targetUrl }
  const used = await useOne(stage, tell)
  await narrow(stage, used.bot, tell)
  await refuse(stage, used.bot, tell)
  await refund(stage, tell)
  await tell('expired', () => expired(stage, used))
  await withdraw(stage, used.bot, tell)
  await tell('clean', async () => {
    const left = await askTarget(targetUrl, `select from pg_roles where rolname like 'cb\\_%'`)
    check(left.length === 0, 'no login of ours to be left at the target')
    return onlyTold('no login is left at the target')
  })
  await verify(stage, tell)
  await tell('why', async () => {
    const steps = await waterfall(world.as('cleo'), used.decision)
    check(steps.length > 4, 'the story of the first credential')
    const lines = steps.map(({ label, text }) => `\n           ${label.padEnd(11)}${text}`)
    return onlyTold(`the first credential, as an auditor sees it${lines.join('')}`)
  })
}

function ownerUrl({ database, orders }: World): string {
  const url = new URL(database.config.databaseUrl.reveal())
  url.pathname = `/${orders.database}`
  return url.href
}

/** Neither the broker nor its database answers any more. */
async function checkStopped(world: World): Promise<void> {
  const broker = fetch(`${world.issuer}/livez`).then(
    () => true,
    () => false,
  )
  const database = askTarget(ownerUrl(world), 'select').then(
    () => true,
    () => false,
  )
  check(!(await broker) && !(await database), 'nothing to be left running')
}
