/** How a broker ends: whoever is being answered is answered. */
import { describe, expect, it } from 'vitest'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { aHouse, aRun, callers, READING, REFUND, REFUNDING } from './house.ts'
import { SHAPES } from './shapes.ts'

describe.each(SHAPES)('as $shape', { timeout: 120_000 }, ({ start }) => {
  async function aBroker() {
    const [database, target] = [await freshDatabase(), await freshTarget()]
    const shop = { url: target.url, database: target.name, ending: target.role('') }
    const home = await aHouse({ databaseUrl: database.url, shop })
    return { database, home, broker: await start({ home, database }) }
  }

  it('on SIGTERM answers what it was asked, signs what is on record, and ends with 0', async () => {
    const { database, home, broker } = await aBroker()
    const by = callers(home, broker.issuer)
    const { client } = await aRun(by.as('kim'), broker.issuer, REFUNDING)
    await client.connect()
    const asked = Array.from({ length: 5 }, () =>
      client.requestCredential({ tool: 'payments.refund', arguments: REFUND }),
    )
    // Whoever waits for something to happen is being answered too.
    const waiting = by.as('ben').get('/v1/approvals?status=pending&wait=2')
    // One of them has its answer, so that the others are on their way.
    await Promise.race(asked)
    broker.signal('SIGTERM')
    for (const answer of await Promise.all(asked)) expect(answer.status).toBe('active')
    expect(await waiting).toMatchObject({ items: [] })
    expect(await broker.ended).toBe(0)

    await expect(fetch(`${broker.issuer}/livez`)).rejects.toThrow()
    const [row] = await database.query<{ leaves: number; signed: number }>(
      `select (select count(*) from ledger.leaf) as leaves,
            (select max(size) from ledger.checkpoint) as signed`,
    )
    expect(row?.signed).toBe(row?.leaves)
    const [left] = await database.query<{ n: number }>(
      `select count(*) as n from pg_stat_activity where application_name like 'procura%' and datname = current_database()`,
    )
    expect(left?.n).toBe(0)
  })

  it('killed in the middle leaves nothing that a next one cannot go on from', async () => {
    const { home, broker } = await aBroker()
    const by = callers(home, broker.issuer)
    const run = await aRun(by.as('ana'), broker.issuer, READING)
    const sql = 'select count(*) from orders'
    const answer = await run.client.requestCredential({ tool: 'sql.query', arguments: { sql } })
    broker.signal('SIGKILL')
    expect(await broker.ended).toBeNull()

    const next = await broker.again()
    expect(next.issuer).toBe(broker.issuer)
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    expect((await run.client.giveBack(answer.id))['status']).toBe('returned')
  })

  it('logs JSON lines without a secret, a body or an argument', async () => {
    const { home, broker } = await aBroker()
    const by = callers(home, broker.issuer)
    const run = await aRun(by.as('ana'), broker.issuer, READING)
    const sql = `select count(*) from orders where note <> 'nobody-logs-this'`
    const answer = await run.client.requestCredential({ tool: 'sql.query', arguments: { sql } })
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    await run.client.giveBack(answer.id)
    broker.signal('SIGTERM')
    await broker.ended
    const lines = broker.stderr().trim().split('\n')
    const logged = lines.filter((line) => line.startsWith('{'))
    expect(logged.length).toBeGreaterThan(3)
    for (const line of logged) expect(() => JSON.parse(line) as unknown).not.toThrow()
    for (const secret of [answer.credential['password'], 'nobody-logs-this', 'eyJ']) {
      expect(broker.stderr()).not.toContain(secret)
    }
  })
})
