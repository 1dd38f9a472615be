/**
 * An orchestrator and two workers, each a process with a key and a session of its own, at a broker with a
 * database to guard: all of it is started here, shown, and ended. `npm run example`
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { agentFile } from '../../src/cli/context.ts'
import { chainTree } from '../../src/cli/chain-tree.ts'
import { clearData } from '../../src/cli/dev/clear.ts'
import { enrol, seed } from '../../src/cli/dev/seed.ts'
import { startWorld, type World } from '../../src/cli/dev/world.ts'
import { createLogger } from '../../src/cli/log.ts'
import { textIn } from '../../src/cli/member.ts'
import { printer } from '../../src/cli/print.ts'
import { configurationToTry } from '../../src/cli/settings.ts'
import type { Config } from '../../src/config.ts'

const config = exampleConfig(configurationToTry())
await clearData(config.dataDir)
const world = await startWorld(config, createLogger('error'))
try {
  const consent = await consentTo(world)
  await orchestrate(world)
  printer.line('')
  printer.line(`as an auditor sees it: procura chain show ${consent}`)
  const chain = await world.as('cleo').get(`/v1/chains/${consent}`)
  for (const { label, text } of chainTree(chain)) printer.line(label, text)
} finally {
  await world.stop()
}
await clearData(config.dataDir)

/** A folder and a database of its own, whatever else is configured. */
function exampleConfig(given: Config): Config {
  const dataDir = join(given.dataDir, 'example')
  return {
    ...given,
    ...{ dataDir, keysDir: join(dataDir, 'keys'), checkpointsFile: join(dataDir, 'checkpoints') },
    ...{ databaseUrl: null, issuer: null, host: '127.0.0.1', port: 0, sealKey: null },
    sealToken: null,
  }
}

/** Ana lets one agent read two tables and hand that on; for the others she consents to nothing. */
async function consentTo(world: World): Promise<string> {
  const where = { sponsor: world.as('ana'), dataDir: config.dataDir, seconds: 3600 }
  const { consent } = await seed(
    {
      ...{ name: 'orchestrator', sponsor: 'ana' },
      consent: {
        ...{ tools: ['sql.query'], purpose: 'reporting', max_uses: 20, max_hops: 1 },
        constraints: [{ key: 'facts.tables', subset_of: ['public.orders', 'public.customers'] }],
      },
    },
    where,
  )
  for (const name of ['sales-counter', 'city-lister']) {
    await enrol(name, where.sponsor, config.dataDir)
  }
  printer.line('consented', 'ana: the orchestrator may read orders and customers, 20 calls, 1 hop')
  return textIn(consent, 'id')
}

async function orchestrate({ issuer }: World): Promise<void> {
  const env = {
    ...{ PATH: process.env['PATH'], BROKER: issuer },
    AGENT_KEY_FILE: agentFile(config.dataDir, 'orchestrator'),
  }
  const script = join(import.meta.dirname, 'orchestrator.ts')
  const orchestrator = spawn(process.execPath, [script], { env, stdio: 'inherit' })
  const [code] = (await once(orchestrator, 'exit')) as [number | null]
  if (code !== 0) throw new Error('the orchestrator failed')
}
