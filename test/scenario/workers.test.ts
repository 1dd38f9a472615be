/** One broker as several processes: what a caller sees of it is one broker. */
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { outcomes, refund, signedFor, tally } from '../attack/two-brokers.ts'
import { freshDatabase, freshTarget, type TestDatabase } from '../pg/database.ts'
import { type BrokerProcess, COMPILED, startBroker } from './broker.ts'
import { aHouse, aRun, callers, eventually, type House, REFUNDING } from './house.ts'
import { aSplit, startSplit } from './two-processes.ts'

const WORKERS = 2
const LONGEST_SECONDS = 25
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 }) // Three processes start.

async function aHome(): Promise<{ database: TestDatabase; home: House }> {
  const [database, target] = [await freshDatabase(), await freshTarget()]
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  return { database, home: await aHouse({ databaseUrl: database.url, shop }) }
}

async function aCrew() {
  const { database, home } = await aHome()
  const env = { ...home.env, ...COMPILED, PROCURA_REQUESTS_PER_SECOND: '5000' }
  const broker = await startBroker(env, ['--workers', String(WORKERS)])
  return { database, home, broker, by: callers(home, broker.issuer) }
}

/** The workers that live now, as the system knows them. */
function workersOf({ pid }: BrokerProcess): number[] {
  const children = readFileSync(`/proc/${String(pid)}/task/${String(pid)}/children`, 'utf8')
  const isWorker = (child: string) =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('--workers')
  return children.trim().split(' ').filter(Boolean).filter(isWorker).map(Number)
}

/** A connection of its own for each, so that the workers take turns. */
const apart = (headers: Record<string, string> = {}) => ({
  headers: { ...headers, connection: 'close' },
})

async function decisionsIn({ query }: TestDatabase): Promise<number> {
  const text = `select count(*)::int as n from ledger.leaf where event_type = 'decision'`
  const [row] = await query<{ n: number }>(text)
  return row?.n ?? 0
}

async function series({ issuer }: BrokerProcess): Promise<string[]> {
  return (await (await fetch(`${issuer}/metrics`, apart())).text()).split('\n')
}

describe('a broker of several workers', () => {
  let { database, home, broker, by } = {} as Awaited<ReturnType<typeof aCrew>>
  beforeAll(async () => {
    ;({ database, home, broker, by } = await aCrew())
  })

  it('is one broker to its callers: one ready line, one ledger, one set of metrics', async () => {
    expect(broker.stdout().match(/^ready /gm)).toHaveLength(1)
    expect(broker.stdout()).toMatch(/^workers +2$/m)
    expect(workersOf(broker)).toHaveLength(WORKERS)

    const run = await aRun(by.as('kim'), broker.issuer, REFUNDING)
    await run.client.connect()
    const calls = Array.from({ length: 12 }, () => run.client.requestCredential(refund))
    expect(await outcomes(calls)).toEqual({ done: 12 })

    const told = await series(broker)
    const minted = told.filter((it) => /^procura_requests_total\{.*v1\/credentials.*2xx/.test(it))
    const counts = minted.map((it) => ({
      worker: /worker="(\d)"/.exec(it)?.[1],
      count: Number(it.split(' ').at(-1)),
    }))
    expect(new Set(counts.map(({ worker }) => worker))).toEqual(new Set(['1', '2']))
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(12)
    expect(told.filter((it) => it === '# TYPE procura_requests_total counter')).toHaveLength(1)

    const leaves = await eventually('a checkpoint over all', async () => {
      const [row] = await database.query<{ leaves: number; signed: number }>(
        `select (select count(*) from ledger.leaf) as leaves,
                (select max(size) from ledger.checkpoint) as signed`,
      )
      return row?.leaves === row?.signed ? (row?.leaves ?? null) : null
    })
    const key = createPublicKey(readFileSync(join(home.keysDir, 'ledger.key'), 'utf8'))
    const vkey = vkeyOf(`${new URL(broker.issuer).host}/v1/ledger`, key)
    const source = fromDatabase(database.pool('procura_verify'), 'main')
    const verdict = await verifyLedger(source, { vkeys: [vkey] })
    expect(verdict).toMatchObject({ ok: true, entries: leaves })
  })

  it('[DPP-14] one proof in twenty copies over all workers is one request', async () => {
    const run = await aRun(by.as('kim'), broker.issuer, REFUNDING)
    const body = JSON.stringify(refund)
    const signed = await signedFor(run, broker.issuer, body)
    const copies = Array.from({ length: 20 }, () =>
      fetch(`${broker.issuer}/v1/credentials`, { method: 'POST', ...apart(signed), body }),
    )
    const statuses = (await Promise.all(copies)).map(({ status }) => String(status))
    expect(tally(statuses)).toEqual({ 201: 1, 401: 19 })
  })

  it('on SIGTERM every worker answers what it was asked, and nothing is left', async () => {
    const { client } = await aRun(by.as('kim'), broker.issuer, REFUNDING)
    await client.connect()
    const workers = workersOf(broker)
    const before = await decisionsIn(database)
    const waiting = Array.from({ length: WORKERS * 2 }, () =>
      by.as('ben').get('/v1/approvals?status=pending&wait=2'),
    )
    const asked = outcomes(Array.from({ length: 8 }, () => client.requestCredential(refund)))
    // What has not come to a worker yet was asked of nobody. The last of them is decided just now, and told later.
    while ((await decisionsIn(database)) < before + 8);
    broker.signal('SIGTERM')
    // A supervisor signals the whole group; told twice is told once.
    for (const worker of workers) process.kill(worker, 'SIGTERM')
    expect(await asked).toEqual({ done: 8 })
    for (const answer of await Promise.all(waiting)) expect(answer).toMatchObject({ items: [] })
    expect(await broker.ended).toBe(0)
    expect(broker.stderr()).not.toContain('takes its place')

    await expect(fetch(`${broker.issuer}/livez`)).rejects.toThrow()
    const [left] = await database.query<{ n: number; leaves: number; signed: number }>(
      `select (select count(*) from pg_stat_activity
               where application_name like 'procura%' and datname = current_database()) as n,
              (select count(*) from ledger.leaf) as leaves,
              (select max(size) from ledger.checkpoint) as signed`,
    )
    expect(left).toMatchObject({ n: 0, leaves: left?.signed })
  })
})

describe('a broker that loses one, and all', () => {
  let { database, broker, by } = {} as Awaited<ReturnType<typeof aCrew>>
  beforeAll(async () => {
    ;({ database, broker, by } = await aCrew())
  })

  it('a worker that is killed is replaced, and who asks meanwhile is answered', async () => {
    const { client } = await aRun(by.as('kim'), broker.issuer, REFUNDING)
    await client.connect()
    const [victim = 0, ...others] = workersOf(broker)
    process.kill(victim, 'SIGKILL')
    const told = 'worker     1 ended (SIGKILL), another takes its place'
    await eventually('its end', async () => broker.stderr().includes(told))

    const ready = async () => (await fetch(`${broker.issuer}/readyz`, apart())).status
    expect(await ready()).toBe(200)
    const two = await eventually(
      'another worker',
      async () => {
        const now = workersOf(broker)
        const isBack = now.length === WORKERS && !now.includes(victim)
        const slots =
          isBack && (await series(broker)).filter((it) => /^procura_up\{.*\} 1$/.test(it))
        return slots && slots.length === WORKERS ? now : null
      },
      LONGEST_SECONDS,
    )
    expect(two).toEqual(expect.arrayContaining(others))
    const calls = Array.from({ length: 6 }, () => client.requestCredential(refund))
    expect(await outcomes(calls)).toEqual({ done: 6 })
  })

  it('workers go when their primary is killed', async () => {
    broker.signal('SIGKILL')
    expect(await broker.ended).toBeNull()
    await eventually(
      'nobody connected',
      async () => {
        const [row] = await database.query<{ n: number }>(
          `select count(*) as n from pg_stat_activity
         where application_name like 'procura%' and datname = current_database()`,
        )
        return row?.n === 0
      },
      LONGEST_SECONDS,
    )
  })
})

it('limits hold for all workers together, however connections fall on them', async () => {
  const { home } = await aHome()
  const rate = 2
  const env = { ...home.env, PROCURA_REQUESTS_PER_SECOND: String(rate) }
  const { issuer } = await startBroker(env, ['--workers', String(WORKERS)])
  const began = performance.now()
  const asked = Array.from({ length: 60 }, () =>
    fetch(`${issuer}/v1/ledger/checkpoint`, apart()).then(({ status }) => String(status)),
  )
  const found = tally(await Promise.all(asked))
  const seconds = (performance.now() - began) / 1000
  expect(found['429']).toBeGreaterThan(0)
  // What two seconds save up, and what came in while they were asked.
  expect(found['200']).toBeLessThanOrEqual(Math.ceil(rate * (2 + seconds)))
})

it('does not start in part: what keeps one worker from starting is told once, and ends it all', async () => {
  const { home } = await aHome()
  const env = { ...home.env, PROCURA_KEYS: join(home.dataDir, 'nowhere') }
  const failure = await startBroker(env, ['--workers', '3']).catch((error: unknown) => error)
  expect(String(failure).match(/error {6}(?!a worker)/g)).toHaveLength(1)
  expect(String(failure)).toContain('a worker did not start')
})

it('refuses more workers than the database has connections for, before any starts', async () => {
  const { home } = await aHome()
  const failure = await startBroker(home.env, ['--workers', '64']).catch((error: unknown) => error)
  expect(String(failure)).toMatch(/64 workers take up to \d+ connections, and the database has \d+/)
})

it('is one broker as well where deciding and delivering are two processes of several workers', async () => {
  const { database, home } = await aHome()
  const split = await aSplit(database, home, { PROCURA_REQUESTS_PER_SECOND: '5000' })
  const broker = await startSplit(split, 1, ['--workers', String(WORKERS)])
  for (const one of [broker.pdp, ...broker.cdps]) {
    expect(one.stdout()).toMatch(/^workers +2$/m)
    expect(workersOf(one)).toHaveLength(WORKERS)
  }
  const run = await aRun(callers(home, broker.issuer).as('kim'), broker.issuer, REFUNDING)
  await run.client.connect()
  const calls = Array.from({ length: 12 }, () => run.client.requestCredential(refund))
  expect(await outcomes(calls)).toEqual({ done: 12 })
  broker.signal('SIGTERM')
  expect(await broker.ended).toBe(0)
})
