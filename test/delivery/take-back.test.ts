import { expect, it, vi } from 'vitest'
import { createTakeBack } from '../../src/delivery/take-back.ts'
import type { Ledger } from '../../src/domain/ports.ts'
import { unavailable } from '../../src/domain/problems.ts'
import { aWorld, leaves, ORDERS, stateOf } from './world.ts'

it('what could not be taken back while the ledger was away is taken back when it is there again', async () => {
  const world = await aWorld()
  const intent = await world.redeem(ORDERS)
  await world.cdp.mint(intent)
  let away = 1
  const ledger: Ledger = {
    ...world.ledger,
    record: (key, work) =>
      away-- > 0 ? Promise.reject(unavailable('ledger')) : world.ledger.record(key, work),
  }
  const { pool, targets, troubles } = world
  const takeBack = createTakeBack({
    ...{ tenant: 'main', pool, targets, ledger },
    trouble: (error) => troubles.push(error),
  })

  await takeBack(intent, unavailable('ledger'))
  expect(await stateOf(world.db, intent.lease)).toMatchObject({ state: 'minting' })
  await vi.waitFor(
    async () => {
      expect(await stateOf(world.db, intent.lease)).toMatchObject({
        ...{ state: 'failed', end_reason: 'not_recorded' },
      })
    },
    { timeout: 10_000, interval: 100 },
  )
  expect(troubles).toHaveLength(1)
  expect((await leaves(world.db)).at(-1)).toMatchObject({ event_type: 'issuance_failed' })
})
