import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { ProvenInstance } from '../../src/domain/instance.ts'
import { unavailable } from '../../src/domain/problems.ts'
import { until } from './bench.ts'
import type { PostgresTarget } from './postgres-target.ts'
import { act, aStatementWorld, called, instance, type StatementWorld } from './statement-world.ts'
import { stop } from './world.ts'

let at: PostgresTarget
let db: StatementWorld['db']
let aReplica: StatementWorld['aReplica']
let aLease: StatementWorld['aLease']
let ask: StatementWorld['ask']
let told: StatementWorld['told']
let usages: StatementWorld['usages']
beforeAll(async () => {
  ;({ at, db, aReplica, aLease, ask, told, usages } = await aStatementWorld())
})

describe('an approved statement', () => {
  it('is run by the broker, and its rows are passed on as the server wrote them', async () => {
    const asked = await aLease(`select id, note, null as nothing, 1.10::numeric as n from orders`)
    expect(await told(asked)).toEqual({
      status: 200,
      body: {
        ...{ command: 'SELECT', row_count: 1, rows: [['1', 'one', null, '1.10']] },
        columns: [
          { name: 'id', type: 'int4' },
          { name: 'note', type: 'text' },
          { name: 'nothing', type: 'text' },
          { name: 'n', type: 'numeric' },
        ],
      },
    })
    expect(await at.has(asked.intent.downstreamName)).toBe(false)
    expect(await usages(asked)).toMatchObject([
      { effect: { observed: 'unknown' } },
      { effect: { observed: 'occurred' } },
    ])
  })

  it('[PRX-17] runs once, of however many who ask at once', async () => {
    const write = { roles: [at.read, at.write], read_only: false }
    const asked = await aLease(`insert into orders values (100, 'once')`, write)
    const replicas = [aReplica(), aReplica()]
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => ask(asked, {}, replicas[n % 2])),
    )
    const done = outcomes.filter(({ status }) => status === 'fulfilled')
    expect(done).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toMatchObject({ code: 'credential_gone' })
      }
    }
    expect(await at.db.query('select from orders where id = 100')).toHaveLength(1)
  })

  it.each([
    ['another statement', { body: Buffer.from('{"sql":"select 2","why":"tëst"}') }],
    ['one more argument', { body: Buffer.from('{"sql":"select 1","why":"tëst","x":1}') }],
    ['a key twice', { body: Buffer.from('{"sql":"select 1","sql":"select 1","why":"tëst"}') }],
    ['no arguments', { body: new Uint8Array() }],
  ])('is spent on nothing else: %s', async (_what, of) => {
    const asked = await aLease('select 1')
    await expect(ask(asked, of)).rejects.toMatchObject({ code: 'args_mismatch' })
    expect(await usages(asked)).toEqual([])
    expect((await told(asked)).status).toBe(200)
  })

  it.each([
    ['another path', { path: '/query/' }],
    ['a query', { query: 'a=1' }],
    ['another method', { method: 'GET' }],
  ])('has one address: not %s', async (_what, of) => {
    await expect(ask(await aLease('select 1'), of)).rejects.toMatchObject({ code: 'target_denied' })
  })

  it('[PRX-18] is its own instance’s, with its own key', async () => {
    const asked = await aLease('select 1')
    for (const { session, jkt } of [
      { session: { ...instance.session, instance: 'ins_other' as never }, jkt: 'jkt' },
      { session: instance.session, jkt: 'other' },
    ]) {
      const other = ProvenInstance.proven(session, jkt)
      const answer = aReplica().call(other, called(asked), act)
      await expect(answer).rejects.toMatchObject({ code: 'not_found' })
    }
    expect((await told(asked)).status).toBe(200)
  })

  it('cannot bring another one along', async () => {
    const asked = await aLease(`select 1; insert into orders values (3, 'three')`, {
      ...{ roles: [at.read, at.write], read_only: false },
    })
    expect(await told(asked)).toMatchObject({ status: 422, body: { sqlstate: '42601' } })
    expect(await at.db.query('select from orders where id = 3')).toEqual([])
  })

  it('that the server refuses is answered with its reason, and leaves no login', async () => {
    const asked = await aLease('select * from payroll')
    expect(await told(asked)).toMatchObject({ status: 422, body: { sqlstate: '42501' } })
    expect(await at.has(asked.intent.downstreamName)).toBe(false)
    await expect(ask(asked)).rejects.toMatchObject({ code: 'credential_gone' })
  })

  it('[PRX-16] that answers without end is cut, and nothing of it is passed on', async () => {
    const asked = await aLease(`select repeat('x', 1000) from generate_series(1, 100000)`)
    const cut = ask(asked, {}, aReplica({ answer_bytes_max: 100_000 }))
    await expect(cut).rejects.toMatchObject({ code: 'downstream_failed' })
    expect(await at.has(asked.intent.downstreamName)).toBe(false)
    expect((await usages(asked)).at(-1)).toMatchObject({
      ...{ reason: 'too_large', effect: { observed: 'occurred' } },
    })
  })

  it('that takes too long is ended by its server', async () => {
    const asked = await aLease('select pg_sleep(60)', { statement_timeout_ms: 200 })
    expect(await told(asked)).toMatchObject({ status: 422, body: { sqlstate: '57014' } })
  })

  it('[PRX-19] is cut when what it rests on is stopped', async () => {
    const asked = await aLease('select pg_sleep(60)')
    const running = ask(asked)
    running.catch(() => undefined)
    await until(async () => (await at.sessionsOf(asked.intent.downstreamName)) === 1)
    await stop(db, 'credential', asked.intent.lease, 1)
    const began = performance.now()
    await expect(running).rejects.toMatchObject({ code: 'credential_gone' })
    expect(performance.now() - began).toBeLessThan(5000)
    expect(await at.sessionsOf(asked.intent.downstreamName)).toBe(0)
    expect(await at.has(asked.intent.downstreamName)).toBe(false)
  })

  it('whose caller leaves is cut, and its login is gone', async () => {
    const asked = await aLease('select pg_sleep(60)')
    const leaving = new AbortController()
    const running = ask(asked, { left: leaving.signal })
    running.catch(() => undefined)
    await until(async () => (await at.sessionsOf(asked.intent.downstreamName)) === 1)
    leaving.abort()
    await expect(running).rejects.toMatchObject({ code: 'downstream_failed' })
    await pause(0)
    expect(await at.has(asked.intent.downstreamName)).toBe(false)
  })

  it('has nothing more to say at a target that is down', async () => {
    const asked = await aLease('select 1')
    const down = ask(asked, {}, aReplica({ port: 1 }))
    await expect(down).rejects.toMatchObject({ code: 'downstream_failed' })
    expect((await usages(asked)).at(-1)).toMatchObject({ effect: { observed: 'none' } })
  })

  it('is not spent where the key of the login that makes its own is away', async () => {
    const asked = await aLease('select 1')
    const use = () => Promise.reject(unavailable('keys'))
    const away = ask(asked, {}, aReplica({}, { use }))
    await expect(away).rejects.toMatchObject({ code: 'unavailable' })
    expect(await usages(asked)).toEqual([])
    expect((await told(asked)).status).toBe(200)
  })
})
