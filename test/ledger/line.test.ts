import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createLine } from '../../src/ledger/line.ts'

describe('the line before the turn', () => {
  // However long it takes, nobody's patience ends but where it is said.
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('lets one in at a time, in the order in which they came', async () => {
    const line = createLine()
    const order: string[] = []
    const pass = async (name: string) => {
      const leave = await line.enter()
      order.push(`${name} in`)
      await Promise.resolve()
      order.push(`${name} out`)
      leave()
    }
    await Promise.all(['one', 'two', 'three'].map(pass))
    expect(order).toEqual(['one in', 'one out', 'two in', 'two out', 'three in', 'three out'])
  })

  it('is left once, however often it is said', async () => {
    const line = createLine()
    const leave = await line.enter()
    const second = line.enter()
    leave()
    leave()
    await second
    let isIn = false
    const third = line.enter().then(() => (isIn = true))
    await Promise.resolve()
    expect(isIn).toBe(false)
    ;(await second)()
    await third
  })

  it('keeps nobody waiting once it is left', async () => {
    const line = createLine()
    for (const _ of [1, 2, 3]) (await line.enter())()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('keeps nobody behind one that does not leave, and lets in whoever waits when all have left', async () => {
    const line = createLine()
    const first = await line.enter()
    const second = line.enter()
    await vi.advanceTimersByTimeAsync(100)
    const leave = await second
    let isIn = false
    const third = line.enter().then((left) => ((isIn = true), left))
    for (const left of [first, leave]) {
      await Promise.resolve()
      expect(isIn).toBe(false)
      left()
    }
    ;(await third)()
    ;(await line.enter())()
    expect(vi.getTimerCount()).toBe(0)
  })
})
