import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { checkHeld, HELD_MS_MAX, type Machine, repeatedWhereHeld } from './held.ts'

const said: string[] = []
const theirs: Machine = {
  watch: () => () => true,
  steadiness: () => Promise.resolve(),
  tell: (text) => said.push(text),
}
const ours: Machine = { ...theirs, watch: () => () => false }

/** Does it as often as it is asked to; how often that was. */
async function looks(machine: Machine, work: (look: number) => void | Promise<void>) {
  let count = 0
  const failed = await repeatedWhereHeld(
    async () => {
      await work((count += 1))
    },
    50,
    machine,
  ).then(
    () => null,
    (error: unknown) => error,
  )
  return { looks: count, failed }
}

describe('a case that is looked at', () => {
  it('is over at once where the loop is held for no longer than it may', async () => {
    const told = await looks(theirs, () => {
      checkHeld(HELD_MS_MAX - 1)
    })
    expect(told).toEqual({ looks: 1, failed: null })
  })

  it('is looked at again where the loop was held while others had the machine', async () => {
    const told = await looks(theirs, (look) => {
      checkHeld(look === 1 ? HELD_MS_MAX : 0)
    })
    expect(told).toEqual({ looks: 2, failed: null })
    expect(said).toEqual(['  [G4] the loop was held for 200 ms: it is looked at again\n'])
  })

  it('fails where it was held three times, and says for how long', async () => {
    const told = await looks(theirs, () => {
      checkHeld(HELD_MS_MAX)
    })
    const message = '[G4] the loop was held for 200 ms'
    expect(told).toMatchObject({ looks: 3, failed: { message } })
  })

  it('fails at once where the loop was held, and the machine was ours', async () => {
    const told = await looks(ours, () => {
      checkHeld(HELD_MS_MAX)
    })
    expect(told).toMatchObject({ looks: 1, failed: { name: 'Held' } })
  })

  it('fails at once for every other reason', async () => {
    const other = new Error('other')
    const told = await looks(theirs, () => {
      throw other
    })
    expect(told).toEqual({ looks: 1, failed: other })
  })

  it('fails where it comes to no end in its time', async () => {
    const told = await looks(theirs, () => pause(60_000, undefined, { ref: false }))
    expect(told).toMatchObject({ looks: 1, failed: { message: 'it came to no end in 50 ms' } })
  })
})
