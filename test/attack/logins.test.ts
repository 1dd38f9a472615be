/** What a minted login tries on the database that let it in, to outlive or to outgrow its lease. */
import type { Client } from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { within } from '../../src/delivery/deadline.ts'
import { createTargets } from '../../src/delivery/targets.ts'
import type { Secret } from '../../src/domain/secret.ts'
import { aSigner, anIntent, HOUSE } from '../delivery/bench.ts'
import { aPostgresTarget, loginWith, type PostgresTarget } from '../delivery/postgres-target.ts'

let at: PostgresTarget
beforeAll(async () => {
  at = await aPostgresTarget()
})

function theTarget() {
  const secrets = { use: <T>(_: string, work: (s: Secret) => Promise<T>) => work(at.password) }
  const owner = 'https://broker.example'
  const kinds = createConnectors({ credentials: aSigner(), secrets, owner, ...HOUSE })
  const target = createTargets(kinds, { orders: { ...at.settings } }).get('orders')
  if (target === undefined) throw new Error('no target')
  return target
}

async function aLogin() {
  const target = theTarget()
  const permissions = { ...at.permissions }
  const grant = { target: 'orders', connector: 'postgres', senderConstraint: 'none' } as const
  const intent = anIntent({ ...grant, permissions })
  const issued = await within(8000, (signal) => target.issue(intent, signal))
  const revoke = () => within(5000, (signal) => target.revoke(intent.downstreamName, signal))
  return { name: intent.downstreamName, issued, revoke, session: await loginWith(issued) }
}

describe('a minted login', () => {
  it('[DEL-12] that holds a lock on its own role is ended all the same', async () => {
    const { name, session, revoke } = await aLogin()
    await session.query('set idle_in_transaction_session_timeout = 0')
    await session.query(`begin read write; alter role ${name} password 'another'`)
    expect(await revoke()).toEqual({ found: true })
    expect([await at.has(name), await at.sessionsOf(name)]).toEqual([false, 0])
  })

  it('[DEL-12] that comes back at once, and takes the lock again, is ended all the same', async () => {
    const { name, issued, session, revoke } = await aLogin()
    let isOver = false
    const lock = async (client: Client) => {
      await client.query(`begin read write; alter role ${name} set work_mem = '1MB'`)
      await client.query(`alter role ${name} connection limit 1`).catch(() => undefined)
      await client.query(`rollback; begin read write; alter role ${name} password 'another'`)
    }
    await lock(session)
    const again = async () => {
      while (!isOver) {
        const client = await loginWith(issued).catch(() => null)
        if (client !== null) await lock(client).catch(() => undefined)
      }
    }
    const attackers = [again(), again(), again()]
    expect(await revoke()).toEqual({ found: true })
    isOver = true
    await Promise.all(attackers)
    expect([await at.has(name), await at.sessionsOf(name)]).toEqual([false, 0])
  })

  it('[DEL-11, DEL-12] neither lives longer by a password of its own, nor reaches another’s session', async () => {
    const [mine, other] = [await aLogin(), await aLogin()]
    const [victim] = (await other.session.query<{ pid: number }>('select pg_backend_pid() as pid'))
      .rows
    for (const sql of [
      `select pg_terminate_backend(${String(victim?.pid)})`,
      `select pg_cancel_backend(${String(victim?.pid)})`,
      `alter role ${mine.name} valid until 'infinity'`,
      `alter role ${mine.name} connection limit -1`,
      `alter role ${other.name} password 'mine'`,
      `set session authorization ${other.name}`,
      `set role ${other.name}`,
      `comment on role ${mine.name} is 'somebody else’s'`,
      `alter role ${mine.name} rename to cb_mine`,
      `grant ${at.read} to ${other.name}`,
      `select rolpassword from pg_authid`,
      `lock table pg_authid`,
      `select pg_read_file('postgresql.conf')`,
      `copy orders to program 'id'`,
      `create extension dblink`,
      `set log_statement = 'none'`,
    ]) {
      await mine.session.query('begin read write')
      await expect(mine.session.query(sql), sql).rejects.toMatchObject({ severity: 'ERROR' })
      await mine.session.query('rollback')
    }
    const seen = await mine.session.query(
      `select query from pg_stat_activity where pid = ${String(victim?.pid)}`,
    )
    expect(seen.rows).toEqual([{ query: '<insufficient privilege>' }])
    await mine.session.query(`begin read write; alter role ${mine.name} password 'another'; commit`)
    expect(await mine.revoke()).toEqual({ found: true })
    await expect(loginWith(mine.issued)).rejects.toMatchObject({ severity: 'FATAL' })
    expect((await other.session.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(await other.revoke()).toEqual({ found: true })
  })
})
