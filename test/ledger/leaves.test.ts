import { expect, it } from 'vitest'
import { bySystem } from '../../src/domain/request.ts'
import { createLeaves } from '../../src/ledger/leaves.ts'
import { NOTHING_TO_SEAL } from '../../src/ledger/sealed.ts'

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second))

it('[AUD-16] says of a leaf that the clock went back before it, by the leaf before: of its turn, or of the last', () => {
  const lastRecordedAt = at(5).toISOString()
  const { add } = createLeaves(NOTHING_TO_SEAL, { next: 7, now: at(4), lastRecordedAt })
  const regressed = [4, 6, 5, 5, 6].map((second) => {
    const act = bySystem('test')
    const { text } = add({ type: 'log_opened', act, name: 'log' }, at(second))
    const leaf = JSON.parse(text) as { recorded_at: string; clock_regressed?: true }
    expect(leaf.recorded_at).toBe(at(second).toISOString())
    return leaf.clock_regressed ?? false
  })
  expect(regressed).toEqual([true, false, true, false, false])
})
