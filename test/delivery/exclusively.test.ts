import { beforeAll, describe, expect, it } from 'vitest'
import { createExclusively } from '../../src/delivery/exclusively.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await freshDatabase()
})

describe('what is done exclusively', () => {
  it('is done by one at a time, over two brokers and both of their sides', async () => {
    const pools = [db.pool('procura_cdp'), db.pool('procura_cdp'), db.pool('procura_reaper')]
    const brokers = pools.map((pool) => createExclusively(pool))
    let [inside, most, shared] = [0, 0, 0]
    const works = Array.from({ length: 12 }, (_, n) => {
      const exclusively = brokers[n % brokers.length]
      if (exclusively === undefined) throw new Error('no broker')
      return exclusively('one role', async () => {
        inside += 1
        most = Math.max(most, inside)
        const read = shared
        await db.query('select pg_sleep(0.01)')
        shared = read + 1
        inside -= 1
      })
    })
    await Promise.all(works)
    expect(pools.map((pool) => pool.totalCount)).toEqual([1, 1, 1])
    expect({ most, shared }).toEqual({ most: 1, shared: 12 })
  })

  it('does not wait for what has another name, and gives back the turn of what failed', async () => {
    const exclusively = createExclusively(db.pool('procura_cdp'))
    await exclusively('one role', async () => {
      const elsewhere = createExclusively(db.pool('procura_cdp'))
      expect(await elsewhere('another', () => Promise.resolve('done'))).toBe('done')
    })
    await expect(exclusively('one role', () => Promise.reject(new Error('no')))).rejects.toThrow(
      'no',
    )
    expect(await exclusively('one role', () => Promise.resolve('again'))).toBe('again')
  })

  it('is not gone on with when it has taken so long that another may be let in', async () => {
    const time = { ms: 0 }
    const exclusively = createExclusively(db.pool('procura_cdp'), () => time.ms)
    await exclusively('one role', ({ goOn }) => {
      time.ms += 4000
      expect(goOn).not.toThrow()
      time.ms += 1
      expect(goOn).toThrow(/stood still/)
      return Promise.resolve()
    })
    await exclusively('one role', ({ goOn }) => {
      expect(goOn).not.toThrow()
      return Promise.resolve()
    })
  })
})
