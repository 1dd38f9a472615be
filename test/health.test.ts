import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createHealth, watchReadiness } from '../src/health.ts'
import { freshDatabase } from './pg/database.ts'

async function healthOf(change: Partial<Parameters<typeof createHealth>[0]> = {}) {
  const db = await freshDatabase()
  let now = new Date('2026-11-21T10:00:00Z')
  const health = createHealth({
    ...{ tenant: 'main', clock: () => now, pool: db.pool('procura_front', 2) },
    ...{ others: [db.pool('procura_pdp', 1)], isPolicyHealthy: () => true },
    ...{ signedAt: () => now, isDraining: () => false, ...change },
  })
  const pass = (ms: number) => (now = new Date(now.getTime() + ms))
  return { db, health, pass }
}

it('is ready when a leaf could be appended, and leaves nothing of the trial', async () => {
  const { db, health } = await healthOf()
  expect(await health.ready()).toEqual({ failing: null })
  expect(await db.query('select from procura.used_proof')).toHaveLength(0)
})

it('[B-10] is red when the database takes no writes, though it answers', async () => {
  const { db, health, pass } = await healthOf()
  expect(await health.ready()).toEqual({ failing: null })
  await db.query(`alter database ${db.name} set default_transaction_read_only = on`)
  await db.query(`select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = '${db.name}' and pid <> pg_backend_pid()`)
  pass(2000)
  expect(await health.ready()).toEqual({ failing: 'ledger' })
})

it.each([
  ['policy', { isPolicyHealthy: () => false }],
  ['checkpoints', { signedAt: () => new Date('2026-11-21T09:59:00Z') }],
  ['keys', { areKeysThere: () => Promise.resolve(false) }],
  ['peer', { isPeerReady: () => Promise.resolve(false) }],
  ['draining', { isDraining: () => true }],
] as const)('is red and names %s when that is what fails', async (failing, change) => {
  const { health } = await healthOf(change)
  expect(await health.ready()).toEqual({ failing })
})

it('looks once for all who ask at the same time, so that asking cannot hold up appending', async () => {
  const { db, health } = await healthOf()
  const answers = await Promise.all(Array.from({ length: 200 }, () => health.ready()))
  expect(new Set(answers).size).toBe(1)
  const [calls] = await db.query<{ n: number }>(
    `select count(*)::int as n from pg_stat_activity where datname = '${db.name}'`,
  )
  expect(calls?.n).toBeLessThan(6)
})

describe('a drain', () => {
  const watched = () => watchReadiness({ ready: () => Promise.resolve({ failing: null }) }, () => 0)

  it('is waited with until whoever asks regularly was told, and had time to act on it', async () => {
    const health = watched()
    await health.ready()
    await health.ready()
    let isOver = false
    const telling = health.told().then((isBalanced) => {
      isOver = true
      return isBalanced
    })
    await pause(100)
    expect(isOver, 'nobody has asked yet').toBe(false)
    const since = performance.now()
    await health.ready()
    expect(await telling).toBe(true)
    expect(performance.now() - since).toBeGreaterThan(200)
  })

  it('is waited with for nobody where nobody asks', async () => {
    expect(await watched().told()).toBe(false)
  })
})
