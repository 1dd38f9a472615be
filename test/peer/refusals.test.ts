/** What the delivering side refused by itself: told in sums, over the line as it is, and never for ever. */
import { describe, expect, it } from 'vitest'
import { unavailable } from '../../src/domain/problems.ts'
import { questionOf, readQuestion, type Refused } from '../../src/peer/questions.ts'
import { createTellingRefusals } from '../../src/peer/refusals.ts'

/** The other side as far as it reads: what it is told goes through octets, and is refused as it is there. */
function aTeller(isDown = () => false) {
  const told: Refused[][] = []
  const reported: string[] = []
  const refusals = createTellingRefusals({
    async refused(counts) {
      if (isDown()) throw unavailable('decision_point')
      await Promise.resolve()
      try {
        const { head } = readQuestion('refused', questionOf({ counts }))
        told.push(head.counts)
      } catch (error) {
        throw unavailable('decision_point', error)
      }
    },
    report: (what) => reported.push(what),
  })
  return { refusals, told, reported }
}

describe('refusals of the delivering side', () => {
  it('are told in sums, and kept until they could be told', async () => {
    let isDown = true
    const { refusals, told } = aTeller(() => isDown)
    for (const code of ['rate_limited', 'rate_limited', 'not_found']) {
      refusals.count('native', code, null)
    }
    await expect(refusals.flush()).rejects.toThrow('unavailable')
    refusals.count('native', 'not_found', null)
    isDown = false
    await refusals.flush()
    await refusals.flush()
    expect(told).toEqual([
      [
        { face: 'native', code: 'rate_limited', caller: null, count: 2 },
        { face: 'native', code: 'not_found', caller: null, count: 2 },
      ],
    ])
  })

  it('of any number of callers are all understood, and not one is lost', async () => {
    const { refusals, told, reported } = aTeller()
    for (let n = 0; n < 2000; n += 1) refusals.count('native', 'not_found', `agt_${String(n)}`)
    await refusals.flush()
    const all = told.flat()
    expect(all.length).toBe(251)
    expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(2000)
    expect(reported).toEqual([])
  })

  it.each(['native', 'oauth', 'authzen'] as const)('at %s are understood', async (face) => {
    const { refusals, told } = aTeller()
    refusals.count(face, 'not_found', null)
    await refusals.flush()
    expect(told).toEqual([[{ face, code: 'not_found', caller: null, count: 1 }]])
  })

  it('that are not understood are given up, and that is told; those after them are told', async () => {
    const { refusals, told, reported } = aTeller()
    refusals.count('native', 'made_up', null)
    await refusals.flush()
    expect(reported).toHaveLength(1)
    refusals.count('native', 'not_found', null)
    await refusals.flush()
    expect(told).toHaveLength(1)
  })

  it('are taken by no code that is none of ours, and in no number that nobody reaches', () => {
    const reading = (of: Partial<Refused>) => () => {
      const one = { face: 'native', code: 'not_found', caller: null, count: 1, ...of }
      return readQuestion('refused', questionOf({ counts: [one] })).head.counts.length
    }
    expect(reading({})()).toBe(1)
    for (const of of [
      ...[{ code: 'made_up' }, { code: 'constructor' }, { face: 'system' as const }],
      ...[{ count: 1_000_001 }, { count: 0 }, { caller: 'x'.repeat(65) }],
    ]) {
      expect(reading(of), JSON.stringify(of)).toThrow('not a question')
    }
  })
})
