/** A statement against its target's worst manners: it says too much, hangs, goes silent, keeps the login. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { TLSSocket } from 'node:tls'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { postgresExact } from '../../src/delivery/connectors/postgres/exact.ts'
import { postgres } from '../../src/delivery/connectors/postgres.ts'
import { reconcile } from '../../src/delivery/reconcile.ts'
import { createTargets, kindOf } from '../../src/delivery/targets.ts'
import { startGate } from '../fakes/gate.ts'
import { aCertificate } from '../lines/upstream.ts'
import { until } from './bench.ts'
import { aStatementWorld, OWNER, type StatementWorld } from './statement-world.ts'
import { stop } from './world.ts'

let w: StatementWorld
beforeAll(async () => {
  w = await aStatementWorld()
})

/** One look of the reaper's for logins that no lease names. */
async function aLook() {
  const kind = kindOf(postgresExact({ secrets: w.secrets, owner: OWNER }))
  const declared = { orders: { ...w.at.settings, connector: 'postgres-exact' } }
  const pool = w.db.pool('procura_reaper')
  const trouble = (error: unknown) => w.troubles.push(error)
  const targets = createTargets([kind], declared)
  return await reconcile({ tenant: 'main', pool, targets, trouble }, 'orders')
}

/** The most that was held for what came from outside, while it ran. */
async function heldDuring(work: () => Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const look = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }, 1)
  try {
    await work()
  } finally {
    clearInterval(look)
  }
  return most
}

/** Of a failure, millions of octets are not to be printed. */
const statusOf = async (answer: Promise<{ readonly status: number }>) => (await answer).status

/** A way to the target that never ends a session in which a statement was run. */
async function aClingingWay(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (here) => {
    const there = connect(w.at.settings.port, '127.0.0.1')
    let isClinging = false
    here.on('data', (chunk) => {
      isClinging ||= chunk.includes('procura-exact')
      there.write(chunk)
    })
    there.on('data', (chunk) => here.write(chunk))
    there.on('close', () => {
      if (!isClinging) here.destroy()
    })
    here.on('close', () => there.destroy())
    for (const socket of [here, there]) socket.on('error', () => undefined) // `close` follows.
    onTestFinished(() => {
      here.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** The same target by TLS, as a server of its own kind begins it: it is asked for first. */
async function aSecureWay() {
  const { key, cert: ca } = aCertificate('localhost')
  const server = createServer((here) => {
    here.once('data', () => {
      here.write('S')
      const secure = new TLSSocket(here, { isServer: true, key, cert: ca })
      const there = connect(w.at.settings.port, '127.0.0.1')
      secure.pipe(there).pipe(secure)
      for (const socket of [here, secure, there]) {
        socket.on('error', () => undefined) // `close` follows.
        socket.on('close', () => there.destroy())
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
  })
  return { host: 'localhost', port: (server.address() as AddressInfo).port, ca }
}

describe('a statement', () => {
  it.each(['disable', 'verify-full'])(
    '[PRX-16] that answers with one large value is cut before the value is held: TLS %s',
    async (sslmode) => {
      const asked = await w.aLease(`select repeat('x', 50000000)`)
      const way = sslmode === 'disable' ? {} : { sslmode, ...(await aSecureWay()) }
      const held = await heldDuring(async () => {
        const replica = w.aReplica({ answer_bytes_max: 100_000, ...way })
        const cut = statusOf(w.ask(asked, {}, replica))
        await expect(cut).rejects.toMatchObject({ shown: { reason: 'too_large' } })
      })
      expect(held).toBeLessThan(10_000_000)
      expect(await w.at.has(asked.intent.downstreamName)).toBe(false)
      expect((await w.usages(asked)).at(-1)).toMatchObject({ reason: 'too_large' })
    },
  )

  it('[PRX-16] that says a lot and answers nothing is cut as well', async () => {
    for (const many of [
      'select from generate_series(1, 1000000)',
      `do $$ begin for i in 1..100000 loop raise notice 'this and that'; end loop; end $$`,
    ]) {
      const asked = await w.aLease(many)
      const cut = statusOf(w.ask(asked, {}, w.aReplica({ answer_bytes_max: 100_000 })))
      await expect(cut).rejects.toMatchObject({ shown: { reason: 'too_large' } })
    }
  })

  it('is left alone by a look for orphans while it runs', async () => {
    const asked = await w.aLease('select pg_sleep(1.5)')
    const name = asked.intent.downstreamName
    const running = w.told(asked)
    running.catch(() => undefined)
    await until(async () => (await w.at.sessionsOf(name)) === 1)
    expect(await aLook()).toEqual([])
    expect(await running).toMatchObject({ status: 200, body: { command: 'SELECT' } })
    expect(await w.at.has(name)).toBe(false)
  })

  it('is not run where it may take longer than logins are left alone for', async () => {
    const ask = async (statement_timeout_ms: number) =>
      await w.ask(await w.aLease('select 1', { statement_timeout_ms }))
    await expect(ask(600_001)).rejects.toMatchObject({ code: 'target_denied' })
    expect((await ask(600_000)).status).toBe(200)
  })

  it('whose broker died leaves a login that ends when it is stopped, or its time is over', async () => {
    for (const end of ['stopped', 'over'] as const) {
      const { intent } = await w.aLease('select 1')
      const { lease, downstreamName: name } = intent
      const { statement: _, ...login } = { statement: '', ...intent.permissions }
      await w.db.query(
        `update procura.lease set state = 'redeemed', ended_at = now() where id = $1`,
        [lease],
      )
      const { secrets } = w
      await logins(secrets).issue({ ...intent, permissions: login }, AbortSignal.timeout(5000))
      expect(await aLook()).toEqual([])
      if (end === 'stopped') await stop(w.db, 'credential', lease, 1)
      else {
        const sql = `update procura.lease set ended_at = now() - interval '12 min' where id = $1`
        await w.db.query(sql, [lease])
      }
      expect(await aLook()).toEqual([name])
      expect(await w.at.has(name)).toBe(false)
    }
  })

  it('is answered where its target does not hang up', async () => {
    const asked = await w.aLease('select 1 as one')
    const began = performance.now()
    const answer = w.told(asked, {}, w.aReplica({ port: await aClingingWay() }))
    expect(await answer).toMatchObject({ status: 200, body: { rows: [['1']] } })
    expect(performance.now() - began).toBeLessThan(4000)
    expect(await w.at.has(asked.intent.downstreamName)).toBe(false)
  })

  it('is answered where its login owns something now, and the record tells that it stays', async () => {
    const asked = await w.aLease('select lo_create(0)', { read_only: false })
    const name = asked.intent.downstreamName
    expect(await w.told(asked)).toMatchObject({ status: 200 })
    expect((await w.usages(asked)).at(-1)).toMatchObject({
      ...{ reason: 'login_left', effect: { observed: 'occurred' } },
    })
    // It can do nothing any more.
    const rows = await w.at.db.query('select rolcanlogin from pg_roles where rolname = $1', [name])
    expect(rows).toEqual([{ rolcanlogin: false }])
    await w.at.db.query(`drop owned by ${name}`)
  })

  it('at a target that is silent is a timeout, and made nothing', async () => {
    const gate = await startGate(w.at.settings.port)
    onTestFinished(() => gate.stop())
    await gate.set('silent')
    const asked = await w.aLease('select 1')
    const late = w.ask(asked, {}, w.aReplica({ port: gate.port }))
    await expect(late).rejects.toMatchObject({ code: 'downstream_timeout' })
    expect((await w.usages(asked)).at(-1)).toMatchObject({
      ...{ reason: 'downstream_timeout', effect: { observed: 'none' } },
    })
  })

  it('is not begun for a caller who has left already, and its lease stays', async () => {
    const asked = await w.aLease('select 1')
    const gone = w.ask(asked, { left: AbortSignal.abort() })
    await expect(gone).rejects.toMatchObject({ code: 'unavailable' })
    expect((await w.told(asked)).status).toBe(200)
  })
})

/** The logins themselves, as the broker that died had made them. */
function logins(secrets: StatementWorld['secrets']) {
  const kind = kindOf(postgres({ secrets, owner: OWNER }))
  const target = createTargets([kind], { orders: w.at.settings }).get('orders')
  if (target === undefined) throw new Error('no target')
  return target
}
