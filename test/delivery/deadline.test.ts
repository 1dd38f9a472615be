import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isTimeout, within } from '../../src/delivery/deadline.ts'

describe('a time limit', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** How it ended, and the signal that its work was given. */
  async function ended(work: (signal: AbortSignal) => Promise<unknown>) {
    const given: AbortSignal[] = []
    const outcome = within(1000, (signal) => {
      given.push(signal)
      return work(signal)
    }).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(999)
    const wasAborted = given[0]?.aborted
    await vi.advanceTimersByTimeAsync(1)
    return { outcome: await outcome, wasAborted, isAborted: given[0]?.aborted }
  }

  it('ends the wait for what does not heed it, and tells it so', async () => {
    const { outcome, wasAborted, isAborted } = await ended(() => new Promise(() => undefined))
    expect([isTimeout(outcome), wasAborted, isAborted]).toEqual([true, false, true])
  })

  it('leaves no timer behind a work that is done, and never fires for it', async () => {
    const { outcome, isAborted } = await ended(() => Promise.resolve('done'))
    expect([outcome, isAborted, vi.getTimerCount()]).toEqual(['done', false, 0])
  })

  it('fires in the end for what a work that failed has left behind', async () => {
    const failed = new Error('failed')
    const { outcome, wasAborted, isAborted } = await ended(() => Promise.reject(failed))
    expect([outcome, wasAborted, isAborted]).toEqual([failed, false, true])
  })

  it('throws what its work throws before it has promised anything', async () => {
    const failed = new Error('failed')
    const { outcome } = await ended(() => {
      throw failed
    })
    expect(outcome).toBe(failed)
  })
})

it('keeps no process alive', () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  within(60_000, () => new Promise(() => undefined)).catch(() => undefined)
  expect(timers()).toBe(before)
})
