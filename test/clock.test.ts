import { expect, it } from 'vitest'
import { createHouseClock } from '../src/clock.ts'
import { watchReadiness } from '../src/health.ts'

/** A database whose time is `ms`, and which takes `roundTripMs` to tell it. */
function aDatabase(world: { ms: number; elapsed: number; roundTripMs: number }) {
  const query = () => {
    world.elapsed += world.roundTripMs
    world.ms += world.roundTripMs
    return Promise.resolve({ rows: [{ now: new Date(world.ms - world.roundTripMs / 2) }] })
  }
  return { query } as unknown as Parameters<typeof createHouseClock>[0]
}

async function aClock() {
  const world = { ms: Date.UTC(2026, 0, 1), elapsed: 5000, roundTripMs: 4, localMs: 0 }
  const local = () => new Date(world.ms + world.localMs)
  const clock = await createHouseClock(aDatabase(world), local, () => world.elapsed)
  const pass = (ms: number) => {
    world.ms += ms
    world.elapsed += ms
  }
  return { world, clock, pass }
}

it('[F57] tells the time of the database, whatever the clock of the machine does', async () => {
  const { world, clock, pass } = await aClock()
  for (const localMs of [0, 3_600_000, -3_600_000]) {
    world.localMs = localMs
    pass(12_345)
    expect(clock.now().getTime()).toBe(world.ms)
    expect(clock.offsetMs()).toBe(localMs)
  }
})

it('follows the database when that is set, and does not believe an answer that took too long', async () => {
  const { world, clock } = await aClock()
  world.ms += 60_000
  world.roundTripMs = 1500
  await clock.check()
  expect(clock.now().getTime()).toBe(world.ms - 60_000)
  world.roundTripMs = 4
  await clock.check()
  expect(clock.now().getTime()).toBe(world.ms)
})

it('[F57] a broker on a machine whose clock is more than five seconds off is not ready', async () => {
  let offset = 4999
  const ready = () => Promise.resolve({ failing: null })
  const health = watchReadiness({ ready }, () => offset)
  expect(await health.ready()).toEqual({ failing: null })
  for (offset of [5001, -5001]) expect(await health.ready()).toEqual({ failing: 'clock' })
  const other = watchReadiness({ ready: () => Promise.resolve({ failing: 'ledger' }) }, () => 9999)
  expect(await other.ready()).toEqual({ failing: 'ledger' })
})

it('a drain waits for nobody where nobody asks whether it is ready', async () => {
  const health = watchReadiness({ ready: () => Promise.resolve({ failing: null }) }, () => 0)
  const began = performance.now()
  await health.told()
  await health.ready()
  await health.told()
  expect(performance.now() - began).toBeLessThan(500)
})

it('[F18] a drain waits until whoever asks again and again has asked once more', async () => {
  const health = watchReadiness({ ready: () => Promise.resolve({ failing: null }) }, () => 0)
  await health.ready()
  await health.ready()
  const order: string[] = []
  const told = health.told().then(() => order.push('the door is shut'))
  order.push('it is asked')
  await health.ready()
  await told
  expect(order).toEqual(['it is asked', 'the door is shut'])
})
