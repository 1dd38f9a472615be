/** A writer whose database falls silent when it is to commit, while other connections look alive. */
import { expect, it } from 'vitest'
import { createBreaker } from '../../src/db/breaker.ts'
import { createPool } from '../../src/db/connect.ts'
import { eventually } from '../scenario/house.ts'
import { count, logOf, written } from '../ledger/endings.ts'
import { between } from '../pg/between.ts'
import { freshDatabase } from '../pg/database.ts'
import { startProxy } from './proxy.ts'

/** A statement, the silence after it, and one look; and half a second for the machine. */
const WAITED_MS_MAX = 2000 + 500 + 1500 + 500

it('[F33] what became of a commit is not asked where nobody answered, and whoever waits waits once', async () => {
  const db = await freshDatabase()
  const url = new URL(db.url)
  const line = await startProxy(Number(url.port))
  url.port = String(line.port)
  const serving = { role: 'procura_cdp', max: 4, breaker: createBreaker(url.href) } as const
  const pool = createPool({ url: url.href, ...serving })
  await Promise.all([1, 2, 3, 4].map(() => pool.query('select pg_sleep(0.1)')))
  expect(pool.idleCount, 'they look alive').toBe(4)
  const sent: unknown[] = []
  const silent = between(pool, (query, asked) => {
    sent.push(asked[0])
    if (asked[0] === 'commit') line.blackHole()
    return query(...asked)
  })

  const began = performance.now()
  const lost = logOf(silent).record(null, () => Promise.resolve(written(null)))
  await expect(lost).rejects.toMatchObject({ code: 'unavailable' })
  expect(performance.now() - began).toBeLessThan(WAITED_MS_MAX)
  expect(sent.at(-1), 'asked after it').toBe('commit')

  line.heal()
  const recorded = await eventually('a record', () =>
    logOf(pool)
      .record(null, () => Promise.resolve(written('again')))
      .catch(() => null),
  )
  // The first may have come to its end in the dark: there is one leaf of each, and no other.
  expect(await count(db)).toBe(recorded.index + 1)
  await pool.end()
}, 30_000)
