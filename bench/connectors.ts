/**
 * npm run bench:connectors: what a credential costs through the broker, beside asking the target oneself; and
 * what a call through the broker costs, beside making it. One caller, one after another.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { selfAssertion } from '../src/cli/context.ts'
import { textIn } from '../src/cli/member.ts'
import { sealTarget } from '../src/cli/seal-target.ts'
import { createUndo, untilStopped } from '../src/cli/signals.ts'
import { type Client, createClient } from '../src/client/client.ts'
import { generateKey } from '../src/client/key.ts'
import { createCaller } from '../src/client/person.ts'
import { isObject, type JsonObject, parseTrusted } from '../src/domain/json.ts'
import { Secret } from '../src/domain/secret.ts'
import { type Measured, targetsOf } from './connector-targets.ts'
import { policiesFor, toolOf } from './connector-tools.ts'
import { MAIN } from './contender.ts'
import { quantile } from './report.ts'
import { startServerProcess } from './server-process.ts'
import { type BenchWorld, startWorld } from './world.ts'

const WARM = 5

async function measureAll(calls: number, undo: ReturnType<typeof createUndo>): Promise<void> {
  const world = await startWorld()
  undo.push(() => world.stop())
  const subjects: Measured[] = []
  for (const [connector, start] of Object.entries(targetsOf(world))) {
    if (typeof start === 'string') {
      say(`not measured: ${connector}: ${start}`)
      continue
    }
    const subject = await start()
    undo.push(() => subject.stop())
    subjects.push(subject)
  }
  const env = await configure(world, subjects)
  const server = await startServerProcess({
    args: [MAIN, 'serve'],
    env: { ...world.product.env, ...env },
  })
  undo.push(() => server.stop())
  const client = await aClient(world, server.issuer, subjects)

  say(table(['connector', 'bare, ms: p50', 'p99', 'minted, ms: p50', 'p99', 'more', 'bare is']))
  const calling: string[] = []
  for (const subject of subjects) {
    const bare = await timed(calls, subject.bare)
    const minted = await timed(calls, () => ask(client, subject))
    const told = [...figures(bare), ...figures(minted), more(bare, minted), subject.against]
    say(row([subject.connector, ...told]))
    const { through } = subject
    if (through === undefined) continue
    const called = await timed(
      calls,
      () => ask(client, subject),
      async (credential) => {
        const answer = await client.fetch(credential, through.path, through.init)
        if (answer.status !== 200) throw new Error(`a call was answered ${String(answer.status)}`)
        await answer.arrayBuffer()
      },
    )
    calling.push(row([subject.connector, ...figures(bare), ...figures(called), more(bare, called)]))
  }
  say(
    `\n${table(['connector', 'direct, ms: p50', 'p99', 'by the broker, ms: p50', 'p99', 'more'])}`,
  )
  for (const line of calling) say(line)
}

/** The same world, with a target and a tool for each; what the broker has to be told of them. */
async function configure(world: BenchWorld, subjects: readonly Measured[]) {
  const { env, databaseUrl } = world.product
  const trustFile = env['PROCURA_TRUST'] ?? ''
  const trust = parseTrusted(readFileSync(trustFile, 'utf8'))
  if (!isObject(trust) || !isObject(trust['targets'])) throw new TypeError('no trust file')
  const keysDir = join(world.dataDir, 'keys')
  const where = { databaseUrl: new Secret(databaseUrl), tenant: 'main', keysDir, sealKey: null }
  for (const { connector, settings, secret } of subjects) {
    trust['targets'][`bench-${connector}`] = settings
    await sealTarget(where, `bench-${connector}`, secret)
  }
  writeFileSync(trustFile, JSON.stringify(trust))
  const names = subjects.map(({ connector }) => connector)
  return { PROCURA_POLICIES: policiesFor(names, join(world.dataDir, '..', 'policies')) }
}

async function aClient(world: BenchWorld, issuer: string, subjects: readonly Measured[]) {
  const sponsor = createCaller(issuer, () => world.people.token('kim', issuer))
  const registered = generateKey()
  const workload = { kind: 'jwk', jwk: registered.publicJwk }
  const agent = textIn(await sponsor.post('/v1/agents', { name: 'bench-bot', workload }), 'id')
  await sponsor.post('/v1/consents', {
    ...{ agent_id: agent, tools: subjects.map(({ connector }) => toolOf(connector)) },
    ...{ purpose: 'reporting', max_uses: 100_000 },
    expires_at: new Date(Date.now() + 3_600_000).toISOString(),
  })
  const assertion = () => selfAssertion(agent, registered, issuer)
  return createClient({ issuer, key: generateKey(), assertion })
}

async function ask(client: Client, { connector, args }: Measured): Promise<JsonObject> {
  const answer = await client.requestCredential({ tool: toolOf(connector), arguments: args })
  if (answer.status !== 'active') throw new Error('a person was asked')
  return answer.credential
}

/** Milliseconds of each `work`, least first; what comes before each is not counted. */
async function timed<T>(
  calls: number,
  before: () => Promise<T>,
  work?: (before: T) => Promise<unknown>,
): Promise<number[]> {
  const took: number[] = []
  for (let n = 0; n < WARM + calls; n += 1) {
    let began = performance.now()
    const made = await before()
    if (work !== undefined) {
      began = performance.now()
      await work(made)
    }
    if (n >= WARM) took.push(performance.now() - began)
  }
  return took.sort((one, other) => one - other)
}

const median = (took: readonly number[]) => quantile(took, 0.5)
const figures = (took: readonly number[]) => [0.5, 0.99].map((it) => quantile(took, it).toFixed(1))
const more = (bare: readonly number[], took: readonly number[]) =>
  (median(took) - median(bare)).toFixed(1)

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
const table = (headings: readonly string[]) =>
  `${row(headings)}\n${row(headings.map((_, at) => (at === 0 ? '---' : '---:')))}`
const say = (text: string) => process.stdout.write(`${text}\n`)

await new Command('bench:connectors')
  .description('what a credential and a proxied call cost, beside the bare call to the target')
  .option('--calls <n>', 'of each kind, one after another', '50')
  .action(async ({ calls }: { calls: string }) => {
    const undo = createUndo()
    const stopped = untilStopped().then((signal) => {
      throw new Error(`stopped by ${signal}`)
    })
    try {
      await Promise.race([measureAll(Number(calls), undo), stopped])
    } finally {
      await undo.run()
    }
  })
  .parseAsync()
