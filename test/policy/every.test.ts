import { describe, expect, it } from 'vitest'
import { everyMs } from '../../src/policy/every.ts'

describe('what is done every so often', () => {
  it('goes on through failures, never twice at once, until it is told to stop', async () => {
    let [running, most, done] = [0, 0, 0]
    const stop = everyMs(1, async () => {
      running += 1
      most = Math.max(most, running)
      await new Promise((resolve) => setTimeout(resolve, 3))
      running -= 1
      done += 1
      throw new Error('it failed')
    })
    await until(() => done >= 3)
    stop()
    const counted = done
    let others = 0
    const stopOther = everyMs(5, () => Promise.resolve(void (others += 1)))
    await until(() => others >= 5)
    stopOther()
    expect(most).toBe(1)
    expect(done - counted).toBeLessThanOrEqual(1) // the one that was running
  })
})

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 5000
  while (!holds() && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
