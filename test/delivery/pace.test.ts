import { describe, expect, it } from 'vitest'
import { createPace } from '../../src/delivery/pace.ts'

/** So many are left at each look, of which there is one each six seconds. */
function aFlood(...left: number[]) {
  const clock = { now: 0 }
  const pace = createPace(
    () => Promise.resolve(left.shift() ?? 0),
    () => clock.now,
  )
  const stop = new AbortController()
  return {
    room: () => pace.next(8),
    /** Whether it rests: nobody waits for the end of it. */
    async round(tried: number, { isUrgent = false } = {}) {
      pace.next(8)
      clock.now += 6000
      const after = pace.after({ tried, isUrgent, signal: stop.signal })
      const soon = new Promise((resolve) => setImmediate(resolve, 'soon'))
      const rests = (await Promise.race([after, soon])) === 'soon'
      if (rests) stop.abort()
      await after
      return rests
    },
  }
}

describe('the pace of ending', () => {
  it('is all at once, and without a rest, as far as one go reaches', async () => {
    const flood = aFlood()
    expect(await flood.round(63)).toBe(false)
    expect(flood.room()).toEqual({ few: 8, isFlood: false })
  })

  it('is a quarter of it in a flood that gets less, with rests that end when it has to stop', async () => {
    const flood = aFlood(1000, 900)
    await flood.round(64)
    expect(flood.room()).toEqual({ few: 2, isFlood: true })
    expect(await flood.round(2)).toBe(true)
    expect(flood.room()).toEqual({ few: 2, isFlood: true })
  })

  it('does not rest while something urgent is among it', async () => {
    const flood = aFlood(1000)
    await flood.round(64)
    expect(await flood.round(8, { isUrgent: true })).toBe(false)
  })

  it('is all at once again, till it is over, as soon as a flood does not get less', async () => {
    const flood = aFlood(1000, 1000, 10)
    await flood.round(64)
    await flood.round(2, { isUrgent: true })
    expect(flood.room().isFlood).toBe(true)
    expect(await flood.round(2)).toBe(false)
    for (let n = 0; n < 3; n += 1) expect(flood.room()).toEqual({ few: 8, isFlood: false })
    expect(await flood.round(8)).toBe(false)
  })
})
