import { Pool } from 'pg'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Breaker, createBreaker } from '../../src/db/breaker.ts'
import { createPool, inTransaction, refuseUnsafeSettings, ROLES } from '../../src/db/connect.ts'
import { comesTrue } from '../../src/db/embedded/processes.ts'
import { freshDatabase } from '../pg/database.ts'

async function withTable() {
  const database = await freshDatabase()
  await database.query('create table procura.kept (n bigint)')
  await database.query('grant select, insert on procura.kept to procura_front')
  const rows = () => database.query<{ n: number }>('select n from kept order by n')
  return { ...database, rows }
}

describe('a pool', () => {
  it('is its role and may not do what the role may not', async () => {
    const { pool } = await withTable()
    for (const role of ROLES) {
      const { rows } = await pool(role).query<{ me: string }>('select current_user as me')
      expect(rows).toEqual([{ me: role }])
    }
    await expect(pool('procura_front').query('select n from kept')).resolves.toBeDefined()
    await expect(pool('procura_pdp').query('select n from kept')).rejects.toThrow(
      'permission denied',
    )
  })

  it('has a limit on everything that could hang, a tighter one where others wait', async () => {
    const { url } = await freshDatabase()
    const limits = async (breaker?: Breaker) => {
      const pool = createPool({ url, role: 'procura_pdp', max: 1, ...(breaker && { breaker }) })
      const { rows } = await pool.query<Record<string, string>>(
        `select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock,
                current_setting('idle_in_transaction_session_timeout') as idle`,
      )
      await pool.end()
      return rows
    }
    expect(await limits()).toEqual([{ statement: '5s', lock: '3s', idle: '10s' }])
    const serving = { statement: '2s', lock: '1500ms', idle: '5s' }
    expect(await limits(createBreaker(url))).toEqual([serving])
  })

  it('reads an int8 as a number, and refuses one that a number cannot hold', async () => {
    const { pool } = await freshDatabase()
    const front = pool('procura_front')
    const { rows } = await front.query(`select ${String(2 ** 53 - 1)}::int8 as n, count(*) as one`)
    expect(rows).toEqual([{ n: 2 ** 53 - 1, one: 1 }])
    await expect(front.query('select 9007199254740993::int8 as n')).rejects.toThrow(RangeError)
    await expect(front.query('select 1 as n')).resolves.toMatchObject({ rows: [{ n: 1 }] })
  })

  it('outlives its connections: an idle one that breaks is told of, and replaced', async () => {
    const { url, query } = await freshDatabase()
    const broken: Error[] = []
    const onBroken = (error: Error) => broken.push(error)
    const pool = createPool({ url, role: 'procura_front', max: 1, name: 'victim', onBroken })
    await pool.query('select 1')
    await query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'`,
    )
    expect(await comesTrue(5, () => broken.length === 1)).toBe(true)
    await expect(pool.query('select 1 as n')).resolves.toMatchObject({ rows: [{ n: 1 }] })
    await pool.end()
  })

  it('keeps those who answer others connected through a lull of minutes, and nobody else', async () => {
    const { url } = await freshDatabase()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const afterLulls = async (breaker?: Breaker) => {
      const pool = createPool({ url, role: 'procura_pdp', max: 1, ...(breaker && { breaker }) })
      await pool.query('select 1')
      const left = [20_000, 100_000, 120_000].map((ms) => {
        vi.advanceTimersByTime(ms)
        return pool.totalCount
      })
      await pool.end()
      return left
    }
    expect(await afterLulls(createBreaker(url))).toEqual([1, 1, 0])
    expect(await afterLulls()).toEqual([0, 0, 0])
  })

  it('says so within seconds when there is no server', async () => {
    const url = 'postgres://nobody:secret@127.0.0.1:1/none'
    const pool = createPool({ url, role: 'procura_front', max: 1 })
    await expect(pool.query('select 1')).rejects.toThrow('ECONNREFUSED')
    await pool.end()
  })
})

describe('a transaction', () => {
  const insert = 'insert into kept (n) values ($1)'

  it('is committed when the work resolves, and knows when it began by the clock of the database', async () => {
    const { pool, query, rows } = await withTable()
    const [before] = await query<{ now: Date }>('select clock_timestamp() as now')
    const now = await inTransaction(pool('procura_front'), async (tx) => {
      await tx.query(insert, [1])
      return tx.now
    })
    expect(now.getTime()).toBeGreaterThanOrEqual(before?.now.getTime() ?? Infinity)
    expect(await rows()).toEqual([{ n: 1 }])
  })

  it('leaves nothing when the work rejects, and its connection is used again', async () => {
    const { pool, rows } = await withTable()
    const front = pool('procura_front', 1)
    const work = inTransaction(front, async (tx) => {
      await tx.query(insert, [1])
      throw new Error('no')
    })
    await expect(work).rejects.toThrow('no')
    expect(front.totalCount).toBe(1)
    await inTransaction(front, (tx) => tx.query(insert, [2]))
    expect(await rows()).toEqual([{ n: 2 }])
  })

  it('is not taken for committed when the work swallowed the error of a statement', async () => {
    const { pool, rows } = await withTable()
    const work = inTransaction(pool('procura_front'), async (tx) => {
      await tx.query(insert, [1])
      await tx.query('select no_such_column').catch(() => null)
    })
    await expect(work).rejects.toThrow('rolled back')
    expect(await rows()).toEqual([])
  })

  it('gives a connection that broke in the middle to nobody', async () => {
    const { pool, query, rows } = await withTable()
    const front = pool('procura_front', 1)
    const work = inTransaction(front, async (tx) => {
      const { rows: own } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      await query('select pg_terminate_backend($1)', [own[0]?.pid])
      await tx.query(insert, [1])
    })
    await expect(work).rejects.toThrow()
    expect(front.totalCount).toBe(0)
    await inTransaction(front, (tx) => tx.query(insert, [2]))
    expect(await rows()).toEqual([{ n: 2 }])
  })
})

describe('a server that may lose what it has committed', () => {
  it('is refused, and the setting named', async () => {
    const { url, pool, query, name } = await freshDatabase()
    await expect(refuseUnsafeSettings(pool('procura_front'))).resolves.toBeUndefined()
    await query(`alter database ${name} set synchronous_commit = off`)
    const unsafe = new Pool({ connectionString: url, max: 1 })
    await expect(refuseUnsafeSettings(unsafe)).rejects.toThrow('synchronous_commit must be on')
    await unsafe.end()
  })
})
