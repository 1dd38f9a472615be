/** What a started broker runs on: told when it is old, and locked before the first request. */
import { expect, it, vi } from 'vitest'
import { lacksFixes } from '../../src/node-version.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { type BrokerProcess, startBroker } from '../scenario/broker.ts'
import { aHouse, aRun, callers, COUNT, READING, REFUND, REFUNDING } from '../scenario/house.ts'
import { readRoot } from './lockfile.ts'
import { LOCKED, TELL } from './locked.ts'
import { run } from './npm.ts'

vi.setConfig({ testTimeout: 90_000 }) // Each starts a broker, or two.
const isOld = lacksFixes(process.versions.node) !== null

async function aHome() {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  return await aHouse({ databaseUrl: database.url, shop })
}

const readiness = async ({ issuer }: BrokerProcess) =>
  (await (await fetch(`${issuer}/readyz`)).json()) as Record<string, unknown>

it(`[SUP-05] a broker on this Node (${isOld ? 'too old' : 'new enough'}) says so, and --strict-runtime obeys`, async () => {
  const home = await aHome()
  const broker = await startBroker(home.env)
  expect(broker.stderr().includes('lacks security fixes')).toBe(isOld)
  expect(await readiness(broker)).toEqual({ status: 'ok', ...(isOld && { warnings: ['runtime'] }) })
  broker.signal('SIGTERM')
  expect(await broker.ended).toBe(0)

  const strict = startBroker(home.env, ['--strict-runtime'])
  if (isOld) {
    await expect(strict).rejects.toThrow(/lacks security fixes.*--strict-runtime/)
  } else {
    expect(await readiness(await strict)).toEqual({ status: 'ok' })
  }
})

it('[SUP-10] a locked broker does all it should, and nothing in it can be changed or made of text', async () => {
  const home = await aHome()
  const broker = await startBroker({ ...home.env, NODE_OPTIONS: `${TELL} ${LOCKED}` })
  const by = callers(home, broker.issuer)

  const reading = await aRun(by.as('ana'), broker.issuer, READING)
  const query = { tool: 'sql.query', arguments: { sql: COUNT } }
  expect(await reading.client.requestCredential(query)).toMatchObject({ status: 'active' })
  const refunding = await aRun(by.as('kim'), broker.issuer, REFUNDING)
  const refund = { tool: 'payments.refund', arguments: REFUND }
  expect(await refunding.client.requestCredential(refund)).toMatchObject({ status: 'active' })
  expect(await reading.client.explain(query)).toMatchObject({ answer: 'allow' })
  for (const path of [
    '/docs',
    '/metrics',
    '/problems/not_found',
    '/.well-known/procura-configuration',
  ]) {
    const page = await fetch(broker.issuer + path)
    expect([page.status, (await page.text()).length > 0], path).toEqual([200, true])
  }
  broker.signal('SIGTERM')
  expect(await broker.ended).toBe(0)
  expect(toldBy(broker.stderr())).toEqual([])
})

it('[SUP-10] is locked by itself but for code made of text, which Node alone can forbid', async () => {
  const home = await aHome()
  const broker = await startBroker({ ...home.env, NODE_OPTIONS: TELL })
  broker.signal('SIGTERM')
  expect(await broker.ended).toBe(0)
  expect(toldBy(broker.stderr())).toEqual(['makesCodeOfText'])

  const unlocked = await run(process.execPath, [...TELL.split(' '), '--eval', '0'])
  expect(toldBy(unlocked.stderr), 'the probe sees what is possible').toHaveLength(6)
})

it('[SUP-10] what is shipped is started so', () => {
  expect(readRoot('Dockerfile')).toContain(`ENV NODE_OPTIONS="${LOCKED}"`)
})

function toldBy(stderr: string): string[] {
  const line = stderr.split('\n').findLast((text) => text.startsWith('{"possible"')) ?? '{}'
  return (JSON.parse(line) as { possible: string[] }).possible
}
