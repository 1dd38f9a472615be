/** The database goes away and comes back; nobody touches the broker. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { Refused } from '../../src/client/errors.ts'
import { type Embedded, startEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { MIGRATIONS } from '../pg/global.ts'
import { startBroker } from './broker.ts'
import { aHouse, aRun, callers, eventually, REFUND, REFUNDING } from './house.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'procura-outage-'))
chmodSync(dataDir, 0o755) // When root runs the tests, somebody else runs the server.
let server: Embedded
afterAll(async () => {
  await server.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

it('without its database issues nothing, says so with 503, and heals by itself', async () => {
  server = await startEmbedded({ dataDir })
  const { url } = server
  await migrate(url, { dir: MIGRATIONS })
  const home = await aHouse({ databaseUrl: url, shop: { url, database: 'shop', ending: '' } })
  const broker = await startBroker(home.env)
  const by = callers(home, broker.issuer)
  const { client } = await aRun(by.as('kim'), broker.issuer, REFUNDING)
  const request = () => client.requestCredential({ tool: 'payments.refund', arguments: REFUND })
  const ready = () => fetch(`${broker.issuer}/readyz`)
  expect((await request()).status).toBe('active')
  expect((await ready()).status).toBe(200)

  await server.stop()
  const refusal = await request().then(
    () => null,
    (error: unknown) => error,
  )
  expect(refusal).toBeInstanceOf(Refused)
  const { status, problem } = refusal as Refused
  expect({ status, problem }).toMatchObject({
    status: 503,
    problem: { code: 'unavailable', evaluation: { status: 'not_evaluated' } },
  })
  expect(problem['fix']).toBeTruthy()
  const red = await eventually('the broker being red', async () => {
    const answer = await ready()
    return answer.status === 503 ? ((await answer.json()) as { failing: string }) : null
  })
  expect(red.failing).toMatch(/database|ledger/)
  expect((await fetch(`${broker.issuer}/livez`)).status).toBe(200)

  server = await startEmbedded({ dataDir })
  expect(server.url, 'it comes back where it was').toBe(url)
  await eventually('the broker being ready', async () => (await ready()).status === 200)
  expect((await request()).status).toBe('active')
  broker.signal('SIGTERM')
  expect(await broker.ended).toBe(0)
}, 120_000)
