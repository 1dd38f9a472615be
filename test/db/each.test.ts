import type { QueryConfig } from 'pg'
import { describe, expect, it } from 'vitest'
import { createPool, inTransaction } from '../../src/db/connect.ts'
import { eachOf } from '../../src/db/each.ts'
import type { Rowwise } from '../../src/domain/tx.ts'
import { freshDatabase } from '../pg/database.ts'

const SQUARE: Rowwise = {
  name: 'square',
  text: `select n, 100 / number as part from jsonb_to_recordset($1::jsonb) as r (n int, number int)
         where number <> $2`,
  values: [7],
}

async function aPool() {
  const db = await freshDatabase()
  const pool = db.pool('procura_front', 2)
  const sent: number[] = []
  const counted = new Proxy(pool, {
    get: (of, name) =>
      name === 'query'
        ? (query: QueryConfig<string[]>) => {
            sent.push((JSON.parse(query.values?.[0] ?? '[]') as unknown[]).length)
            return of.query(query)
          }
        : (Reflect.get(of, name) as unknown),
  })
  return { pool: counted, sent }
}

describe('one statement for many rows', () => {
  it('answers each with its own outcome, and asks once for all that ask together', async () => {
    const { pool, sent } = await aPool()
    const each = eachOf(pool)
    const asked = [1, 2, 7, 4].map((number) => each<{ part: number }>(SQUARE, { number }))
    const parts = (await Promise.all(asked)).map((found) => found?.part ?? null)
    expect(parts).toEqual([100, 50, null, 25])
    expect(sent).toEqual([4])
  })

  it('gathers whoever asks while the last statement is under way', async () => {
    const { pool, sent } = await aPool()
    const each = eachOf(pool)
    const first = each<{ part: number }>(SQUARE, { number: 1 })
    await new Promise((resolve) => setImmediate(resolve))
    const more = [2, 4, 5].map((number) => each<{ part: number }>(SQUARE, { number }))
    const found = await Promise.all([first, ...more])
    expect(found.map((one) => one?.part)).toEqual([100, 50, 25, 20])
    expect(sent).toEqual([1, 3])
  })

  it('lets a row that the statement cannot bear fail alone', async () => {
    const { pool } = await aPool()
    const each = eachOf(pool)
    const asked = [1, 0, 2].map((number) => each<{ part: number }>(SQUARE, { number }))
    const outcomes = await Promise.allSettled(asked)
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('tells an outage from an answer, to all who wait for it', async () => {
    const db = await freshDatabase()
    const pool = createPool({ url: db.url, role: 'procura_front', max: 1 })
    await pool.end()
    const each = eachOf(pool, 'replay_store')
    const outcomes = await Promise.allSettled([1, 2].map((number) => each(SQUARE, { number })))
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { code: 'unavailable', message: 'unavailable: replay_store' },
      })
    }
  })

  it('in a transaction, fails the transaction with the row', async () => {
    const { pool } = await aPool()
    const both = inTransaction(pool, (tx) =>
      Promise.all([tx.each(SQUARE, { number: 1 }), tx.each(SQUARE, { number: 0 })]),
    )
    await expect(both).rejects.toMatchObject({ code: '22012' })
  })
})
