/** A commit whose answer is lost: it is found out what became of it, or nothing is done again. */
import { DatabaseError, type Pool } from 'pg'
import { describe, expect, it } from 'vitest'
import { between } from '../pg/between.ts'
import { freshDatabase } from '../pg/database.ts'
import { count, logOf, written } from './endings.ts'

const isBegin = (asked: unknown) => String(asked).startsWith('begin')
const isAppend = (asked: unknown) =>
  typeof asked === 'object' && JSON.stringify(asked).includes('append_issued')
const coded = (code: string) => Object.assign(new Error('read'), { code })
const lost = () => coded('ECONNRESET')
const ending = () => Object.assign(new DatabaseError('ending', 0, 'error'), { code: '57P01' })

/** A pool whose connections lose the answer to a commit, once: after it was made, or instead of it. */
function losing(pool: Pool, isMade: boolean, error: Error = lost()): Pool {
  let isLost = false
  return between(pool, async (query, asked) => {
    if (asked[0] !== 'commit' || isLost) return await query(...asked)
    isLost = true
    await query(isMade ? 'commit' : 'rollback')
    throw error
  })
}

describe('[F29] a commit whose answer is lost', () => {
  it.each([
    ['the connection broke', lost()],
    ['the server was ending', ending()],
    ['nobody knows why', coded('EPROTO')],
  ])('is looked up, and what is on record counts as recorded, once: %s', async (_why, error) => {
    const db = await freshDatabase()
    const { pool, broken } = watched(db.pool('procura_cdp', 2))
    const log = logOf(losing(pool, true, error))
    const recorded = await log.record(null, () => Promise.resolve(written('done')))
    expect(recorded).toMatchObject({ value: 'done', index: 0 })
    expect(broken).toEqual([error])
    expect(await count(db)).toBe(1)
  })

  it('is an outage where nothing is on record', async () => {
    const db = await freshDatabase()
    const { pool, broken } = watched(db.pool('procura_cdp', 2))
    const error = lost()
    const work = logOf(losing(pool, false, error)).record(null, () =>
      Promise.resolve(written('not')),
    )
    await expect(work).rejects.toMatchObject({ code: 'unavailable' })
    expect(broken).toEqual([error])
    expect(await count(db)).toBe(0)
  })

  it.each(['28000', '40P01'])(
    'is an outage for all, and nothing is done again, where looking it up ends with %s',
    async (code) => {
      const db = await freshDatabase()
      const [turns, works] = [{ begun: 0 }, { done: 0 }]
      const { pool: own, broken } = watched(db.pool('procura_cdp', 2))
      const [first, failed] = [coded('EPROTO'), coded(code)]
      const pool = between(losing(own, true, first), (query, asked) => {
        if (isBegin(asked[0]) && ++turns.begun === 2) throw failed
        return query(...asked)
      })
      const log = logOf(pool)
      const work = () => {
        works.done += 1
        return Promise.resolve(written(null))
      }
      const told = await Promise.allSettled([1, 2, 3].map(() => log.record(null, work)))
      for (const it of told)
        expect(it).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } })
      expect([works.done, await count(db)]).toEqual([3, 3])
      // What decides whether the database is there is told why.
      expect(broken).toEqual([first, failed])
    },
  )

  it('counts, where the answer to what was appended is lost with it', async () => {
    const db = await freshDatabase()
    const pool = between(losing(db.pool('procura_cdp', 2), true), async (query, asked) => {
      const answer = await query(...asked)
      if (isAppend(asked[0])) throw lost()
      return answer
    })
    const recorded = await logOf(pool).record(null, () => Promise.resolve(written('done')))
    expect(recorded).toMatchObject({ value: 'done', index: 0 })
    expect(await count(db)).toBe(1)
  })

  it('is an outage where nothing was to be appended: there is nothing to be looked up', async () => {
    const db = await freshDatabase()
    const { pool, turns } = counted(losing(db.pool('procura_cdp', 2), true))
    const nothing = { entries: [], value: null, answer: null }
    const work = logOf(pool).record(null, () => Promise.resolve(nothing))
    await expect(work).rejects.toMatchObject({ code: 'unavailable' })
    expect(turns.count).toBe(1)
  })
})

describe('a commit that the database refuses', () => {
  it('is not looked up: nothing is on record, and the connection is used again', async () => {
    const db = await freshDatabase()
    const { pool: own, broken } = watched(db.pool('procura_cdp', 1))
    let isRefused = false
    const refusing = between(own, async (query, asked) => {
      if (asked[0] === 'commit' && !isRefused) {
        isRefused = true
        return await query(`do $$ begin raise exception 'no' using errcode = '23514'; end $$`)
      }
      return await query(...asked)
    })
    const { pool, turns } = counted(refusing)
    const log = logOf(pool)
    const refused = log.record(null, () => Promise.resolve(written('not')))
    await expect(refused).rejects.toMatchObject({ code: 'unavailable' })
    expect([turns.count, await count(db)]).toEqual([1, 0])
    expect(await log.record(null, () => Promise.resolve(written('next')))).toMatchObject({
      index: 0,
    })
    expect(broken).toEqual([])
  })
})

describe('a turn that could not be ended', () => {
  it('is not called recorded where what was to be appended was never sent', async () => {
    const db = await freshDatabase()
    const pool = between(db.pool('procura_cdp', 1), async (query, asked) => {
      if (isAppend(asked[0])) throw new Error('not sent')
      return await query(...asked)
    })
    const work = logOf(pool).record(null, () => Promise.resolve(written('not')))
    await expect(work).rejects.toMatchObject({ code: 'unavailable' })
    expect(await count(db)).toBe(0)
  })

  it('has its connection thrown away where it cannot be rolled back', async () => {
    const db = await freshDatabase()
    const failed = new Error('not now')
    const { pool, broken } = watched(db.pool('procura_cdp', 1))
    const stuck = between(pool, async (query, asked) => {
      if (asked[0] === 'rollback') throw failed
      return await query(...asked)
    })
    const work = logOf(stuck).record(null, () => Promise.reject(new Error('no')))
    await expect(work).rejects.toThrow('no')
    expect(broken).toEqual([failed])
  })
})

/** Why connections were not used again. */
function watched(pool: Pool) {
  const broken: Error[] = []
  pool.on('release', (error: unknown) => {
    if (error instanceof Error) broken.push(error)
  })
  return { pool, broken }
}

/** How often somebody took a turn, or tried to. */
function counted(of: Pool) {
  const turns = { count: 0 }
  const pool = between(of, (query, asked) => {
    if (isBegin(asked[0])) turns.count += 1
    return query(...asked)
  })
  return { pool, turns }
}
