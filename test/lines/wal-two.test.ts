/** One broker as two processes: what each serves and holds, and what becomes of the other when one is down. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { beforeAll, describe, expect, it } from 'vitest'
import { textIn } from '../../src/cli/member.ts'
import { Refused } from '../../src/client/errors.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { procura } from '../cli/run.ts'
import { freshDatabase, freshTarget, type TestDatabase } from '../pg/database.ts'
import { startBroker } from '../scenario/broker.ts'
import {
  aHouse,
  aRun,
  callers,
  COUNT,
  eventually,
  type House,
  READING,
  REFUND,
  REFUNDING,
} from '../scenario/house.ts'
import {
  aLogin,
  aSplit,
  type Split,
  type SplitBroker,
  startSplit,
} from '../scenario/two-processes.ts'
import { memoryHolds } from './memory.ts'

let database: TestDatabase
let home: House
let split: Split
let broker: SplitBroker
let by: ReturnType<typeof callers>

beforeAll(async () => {
  const target = await freshTarget()
  database = await freshDatabase()
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  home = await aHouse({ databaseUrl: database.url, shop })
  split = await aSplit(database, home)
  broker = await startSplit(split)
  by = callers(home, broker.issuer)
}, 120_000)

const query: JsonObject & { tool: string } = { tool: 'sql.query', arguments: { sql: COUNT } }
const refund = { tool: 'payments.refund', arguments: REFUND }
const at = (port: number, path: string) => `http://127.0.0.1:${String(port)}${path}`
const portOf = (side: 'pdp' | 'cdp') =>
  side === 'pdp' ? broker.pdp.port : (broker.cdps[0]?.port ?? 0)

async function told(port: number, path: string, method = 'GET') {
  const { status, headers, body } = await fetch(at(port, path), { method })
  const text = body === null ? '' : await new Response(body).text()
  const type = headers.get('content-type') ?? ''
  const read = type.includes('json') ? (JSON.parse(text) as JsonObject) : {}
  return { status, read }
}

async function refusal(attempt: Promise<unknown>): Promise<Refused> {
  const error = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof Refused)) throw new Error('it was not refused', { cause: error })
  return error
}

/** How much there is of everything that a yes leaves behind. */
async function counts() {
  const [row] = await database.query<Record<string, number>>(
    `select (select count(*)::int from procura.decision) as decisions,
            (select count(*)::int from procura.lease) as leases,
            (select count(*)::int from ledger.leaf where event_type = 'decision') as leaves`,
  )
  return row
}

describe('two processes', () => {
  it('[WAL-06] serve each its own routes; of the other there is nothing', async () => {
    const contract = parse(
      readFileSync(join(import.meta.dirname, '..', '..', 'openapi.yaml'), 'utf8'),
    ) as { paths: Record<string, unknown> }
    const own = /^\/v1\/(credentials|proxy|redemptions)(\/|$)/
    const both = ['/livez', '/readyz', '/metrics']
    const wrong: string[] = []
    // A method that no route has: 405 where the path is served, 404 where it is not. The proxy has all.
    const paths = Object.keys(contract.paths).filter((it) => !it.startsWith('/v1/proxy'))
    for (const pattern of paths.filter((it) => !both.includes(it))) {
      const path = pattern.replaceAll(/\{\w+\}/g, 'x')
      for (const side of ['pdp', 'cdp'] as const) {
        const isServed = own.test(pattern) === (side === 'cdp')
        const { status, read } = await told(portOf(side), path, 'PUT')
        const expected = isServed ? 'method_not_allowed' : 'not_found'
        if (read['code'] !== expected) wrong.push(`${side} ${path}: ${String(status)}`)
      }
    }
    expect(wrong).toEqual([])
    expect((await told(portOf('cdp'), '/v1/proxy/x/y')).status).toBe(401)
    expect((await told(portOf('pdp'), '/v1/proxy/x/y')).status).toBe(404)
    for (const path of ['/decide', '/authenticate', '/ready']) {
      expect((await told(portOf('pdp'), path, 'POST')).status, path).toBe(404)
    }
  })

  it('[WAL-06] start without what is the other’s, and not with it', async () => {
    // The one that delivers was given a folder of policies that does not exist.
    expect(split.env.cdp['PROCURA_POLICIES']).toContain('no-policies')
    const fails = (env: Readonly<Record<string, string>>, why: RegExp) =>
      expect(startBroker(env)).rejects.toThrow(why)
    const { pdp, cdp } = split.env
    await fails({ ...pdp, PROCURA_KEYS: home.keysDir }, /private, and of the other side/)
    await fails({ ...cdp, PROCURA_KEYS: home.keysDir }, /evidence\.json is not of cdp/)
    await fails({ ...cdp, PROCURA_KEYS: join(split.keysDir, 'pdp') }, /is not of cdp/)
    const both = await aLogin(database, 'cdp', ['procura_pdp'])
    await fails({ ...cdp, DATABASE_URL: both }, /may become procura_pdp/)
    await fails({ ...pdp, DATABASE_URL: database.url }, /may become procura_/)
    const maker = await aLogin(database, 'cdp')
    await database.query(`alter role ${new URL(maker).username} createrole`)
    await fails({ ...cdp, DATABASE_URL: maker }, /may give itself any role/)
    await fails({ ...cdp, PROCURA_PEER_KEY: '' }, /PROCURA_PEER_KEY: is needed/)
  }, 120_000)

  it('[WAL-06] are told beforehand what each lacks, and what it has too much', async () => {
    const check = async (role: string, env: Readonly<Record<string, string>>) => {
      const { code, stdout } = await procura(['config', 'check', '--role', role], { env })
      return { code, found: stdout.match(/^(ok|wrong) .*$/gm) ?? [] }
    }
    const { PROCURA_ROLE: _pdp, ...pdp } = split.env.pdp
    const { PROCURA_ROLE: _cdp, ...cdp } = split.env.cdp
    expect((await check('pdp', pdp)).found.join()).toMatch(
      /^ok +database,ok +keys,ok +policies,ok +peer$/,
    )
    expect((await check('cdp', cdp)).found.join()).toMatch(
      /^ok +database,ok +keys,ok +targets,ok +peer$/,
    )
    const wrong = { ...cdp, PROCURA_KEYS: join(split.keysDir, 'pdp'), DATABASE_URL: database.url }
    const { code, found } = await check('cdp', {
      ...wrong,
      PROCURA_PEER_KEY: cdp['PROCURA_PEER_CA'] ?? '',
    })
    expect(code).toBe(2)
    expect(found.join()).toMatch(
      /wrong +database: .*may become.*wrong +keys: .*is not of cdp.*wrong +peer/,
    )
  }, 60_000)

  it('[CB-01] the deciding one never had in its memory what opens a target, nor what was made', async () => {
    const run = await aRun(by.as('ana'), broker.issuer, READING)
    const answer = await run.client.requestCredential(query as never)
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    const { pid } = broker.pdp
    expect(await memoryHolds(pid, broker.issuer), 'what it does hold is found').toBe(true)
    expect(await memoryHolds(pid, textIn(answer.body, 'decision_id'))).toBe(true)
    expect(await memoryHolds(pid, home.guarded.reveal()), 'the secret of the target').toBe(false)
    expect(await memoryHolds(pid, textIn(answer.credential, 'password'))).toBe(false)
    const seal = readFileSync(join(split.keysDir, 'cdp', 'seal.key'), 'utf8').trim()
    expect(await memoryHolds(pid, seal), 'the seal').toBe(false)
    const [cdp] = broker.cdps
    expect(await memoryHolds(cdp?.pid ?? 0, seal), 'and it would have been found').toBe(true)
    await run.client.giveBack(answer.id)
    for (const text of [broker.stderr(), broker.stdout()]) {
      expect(text).not.toContain(home.guarded.reveal())
    }
  })
})

describe('one of two processes down', () => {
  it('[WAL-07] nobody decides: 503 that says so, and nothing is made; then it goes on', async () => {
    const run = await aRun(by.as('kim'), broker.issuer, REFUNDING)
    const answer = await run.client.requestCredential(refund)
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    const token = textIn(answer.credential, 'token')
    const before = await counts()
    broker.pdp.signal('SIGKILL')
    await broker.pdp.ended

    const no = await refusal(run.client.requestCredential(refund))
    expect(no).toMatchObject({ status: 503, code: 'unavailable' })
    expect(no.problem['evaluation']).toEqual({
      ...{ status: 'not_evaluated', unavailable_input: 'decision_point' },
    })
    const spending = { token, tool: 'payments.refund', args_hash: answer.body['args_hash'] ?? '' }
    const spent = refusal(by.service.post('/v1/redemptions', { ...spending, proof_checked: true }))
    expect((await spent).status).toBe(503)
    await eventually('that it says so', async () => {
      const { status, read } = await told(portOf('cdp'), '/readyz')
      return status === 503 && read['failing'] === 'peer'
    })
    expect((await told(portOf('cdp'), '/livez')).status).toBe(200)
    expect(await counts()).toEqual(before)

    const pdp = await startBroker(split.env.pdp)
    const cdps = broker.cdps.map(({ port }) => port)
    split.router.to({ pdp: pdp.port, cdps })
    broker = { ...broker, pdp }
    await eventually(
      'that it is ready',
      async () => (await told(portOf('cdp'), '/readyz')).status === 200,
    )
    expect((await run.client.requestCredential(refund)).status).toBe('active')
    expect(await by.service.introspect(token)).toMatchObject({ active: true })
  }, 120_000)

  it('[WAL-07] nobody delivers: what was decided is on record, is not made, and is not decided twice', async () => {
    const run = await aRun(by.as('ana'), broker.issuer, READING)
    await run.client.connect()
    const before = await counts()
    // Leases can be read, and none be opened: it stops between the decision and what follows from it.
    const stuck = await database.pool('procura_owner', 1).connect()
    await stuck.query('begin; lock table procura.lease in exclusive mode')
    const asked = run.client
      .requestCredential(query as never, 'a-key-that-is-kept')
      .catch(() => 'gone')
    await eventually('the decision on record', async () => {
      const now = await counts()
      return now?.['leaves'] === (before?.['leaves'] ?? 0) + 1
    })
    for (const cdp of broker.cdps) cdp.signal('SIGKILL')
    await Promise.all(broker.cdps.map(({ ended }) => ended))
    await database.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity
       where datname = current_database() and application_name = 'procura cdp'`,
    )
    await stuck.query('rollback')
    stuck.release()
    expect(await asked).toBe('gone')
    expect(await counts()).toMatchObject({ leases: before?.['leases'] })
    expect((await told(portOf('pdp'), '/readyz')).status, 'it goes on for all others').toBe(200)

    const cdp = await startBroker(split.env.cdp)
    split.router.to({ pdp: portOf('pdp'), cdps: [cdp.port] })
    broker = { ...broker, cdps: [cdp] }
    await eventually(
      'that it is ready',
      async () => (await told(cdp.port, '/readyz')).status === 200,
    )
    const again = await refusal(run.client.requestCredential(query as never, 'a-key-that-is-kept'))
    expect(again.code).toBe('idempotency_in_flight')
    expect(await counts()).toMatchObject({ leases: before?.['leases'] })
    expect((await run.client.requestCredential(query as never)).status).toBe('active')
  }, 120_000)
})
