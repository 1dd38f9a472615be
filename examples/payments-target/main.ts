/**
 * A payments service, three times: in Express, with a plain function, and over HTTP alone from Python. An
 * agent calls each with a credential for one refund. `npm run example:payments`
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, createPrivateKey, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentFile, selfAssertion } from '../../src/cli/context.ts'
import { clearData } from '../../src/cli/dev/clear.ts'
import { seed } from '../../src/cli/dev/seed.ts'
import { startWorld, type World } from '../../src/cli/dev/world.ts'
import { createLogger } from '../../src/cli/log.ts'
import { textIn } from '../../src/cli/member.ts'
import { printer } from '../../src/cli/print.ts'
import { configurationToTry } from '../../src/cli/settings.ts'
import { createClient } from '../../src/client/client.ts' // procura/client, once installed
import { generateKey, importKey } from '../../src/client/key.ts'
import type { Config } from '../../src/config.ts'
import { type JsonObject, parseTrusted } from '../../src/domain/json.ts'

const REFUND = { order_id: 'EU-2026/10231', amount: 900, currency: 'EUR' }
const SERVICES = [
  ['Express', process.execPath, 'with-express.ts'],
  ['node:http', process.execPath, 'without-express.ts'],
  ['Python', 'python3', 'over_http.py'],
] as const

const config = exampleConfig(configurationToTry())
await clearData(config.dataDir)
const world = await startWorld(config, createLogger('error'))
const started: ChildProcess[] = []
try {
  const agent = await anAgent(world)
  for (const [name, command, file] of SERVICES) {
    const origin = await startService(world.issuer, command, file)
    if (origin === null) printer.line('left out', `${name}: there is no ${command} here`)
    else await show(name, origin, agent)
  }
} finally {
  for (const child of started) child.kill()
  await world.stop()
}
await clearData(config.dataDir)

type Agent = Awaited<ReturnType<typeof anAgent>>

/** One credential, for one refund: not for another amount, and not twice. */
async function show(name: string, origin: string, agent: Agent): Promise<void> {
  printer.line('service', `${name}, ${origin}`)
  const token = await agent.credential()
  const tried = [
    ['more', { ...REFUND, amount: 90_000 }],
    ['as allowed', REFUND],
    ['again', REFUND],
  ] as const
  for (const [label, args] of tried) {
    const { status, text } = await agent.refund(origin, token, args)
    printer.line(label, `${name} ${String(status)} ${text}`)
  }
}

async function anAgent(world: World) {
  const { issuer } = world
  const where = { sponsor: world.as('kim'), dataDir: config.dataDir, seconds: 3600 }
  const consent = {
    tools: ['payments.refund'],
    purpose: 'support.refunds',
    constraints: [],
    max_uses: 10,
  }
  const { agent } = await seed({ name: 'refunder', sponsor: 'kim', consent }, where)
  const file = readFileSync(agentFile(config.dataDir, 'refunder'), 'utf8')
  const registered = importKey((parseTrusted(file) as { key: JsonObject }).key)
  const key = generateKey()
  const assertion = () => selfAssertion(agent, registered, issuer)
  const client = createClient({ issuer, key, assertion })
  return {
    async credential(): Promise<string> {
      const answer = await client.requestCredential({ tool: 'payments.refund', arguments: REFUND })
      if (answer.status !== 'active') throw new Error('somebody was asked')
      return textIn(answer.credential, 'token')
    },
    /** A fresh proof for each call (RFC 9449): the token alone is of no use to anybody. */
    async refund(origin: string, token: string, args: typeof REFUND) {
      const htu = `${origin}/refunds`
      const ath = createHash('sha256').update(token).digest('base64url')
      const claims = {
        jti: randomUUID(),
        htm: 'POST',
        htu,
        iat: Math.floor(Date.now() / 1000),
        ath,
      }
      const answer = await fetch(htu, {
        method: 'POST',
        headers: {
          authorization: `DPoP ${token}`,
          dpop: key.sign('dpop+jwt', claims, { jwk: key.publicJwk }),
          'content-type': 'application/json',
        },
        body: JSON.stringify(args),
      })
      return { status: answer.status, text: await answer.text() }
    },
  }
}

/** Where it listens, or `null` where its command is not on this machine. */
async function startService(issuer: string, command: string, file: string) {
  const child = spawn(command, [join(import.meta.dirname, file)], {
    env: { PATH: process.env['PATH'], BROKER: issuer, SERVICE_KEY_FILE: serviceKeyFile() },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  started.push(child)
  // What is not there at all is told by an event, and ends nothing.
  const missing = once(child, 'error').then(() => null)
  const said = once(child.stdout, 'data').then(([chunk]) => String(chunk).trim())
  return await Promise.race([said, missing])
}

/** The key that the service is registered with, as openssl reads it too. */
function serviceKeyFile(): string {
  const folder = join(config.dataDir, 'services')
  const jwk = parseTrusted(readFileSync(join(folder, 'payments-api.json'), 'utf8'))
  const key = createPrivateKey({ key: jwk as JsonObject, format: 'jwk' })
  const file = join(folder, 'payments-api.pem')
  writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  return file
}

/** A folder and a database of its own, whatever else is configured. */
function exampleConfig(given: Config): Config {
  const dataDir = join(given.dataDir, 'example-payments')
  return {
    ...given,
    ...{ dataDir, keysDir: join(dataDir, 'keys'), checkpointsFile: join(dataDir, 'checkpoints') },
    ...{ databaseUrl: null, issuer: null, host: '127.0.0.1', port: 0, sealKey: null },
    sealToken: null,
  }
}
