import { describe, expect, it } from 'vitest'
import { createLine } from '../../src/ledger/line.ts'

describe('the line before the turn', () => {
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

  it('keeps nobody behind one that does not leave', async () => {
    const line = createLine()
    await line.enter()
    const began = performance.now()
    const leave = await line.enter()
    expect(performance.now() - began).toBeLessThan(2000)
    leave()
    await line.enter()
  })
})
