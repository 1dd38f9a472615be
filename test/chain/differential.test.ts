import { describe, expect, it } from 'vitest'
import { OUTCOMES } from '../../src/chain/verify.ts'
import { compare } from './differential.ts'

const RUNS = 2000
const seed = Math.floor(Math.random() * 2 ** 31)

describe('the verifier and an oracle that shares nothing with it', () => {
  it(`agree on ${String(RUNS)} chains of depth 0 to 8 [CHN-32]`, () => {
    process.stdout.write(`  chains: seed ${String(seed)}\n`)
    const { disagreement, outcomes } = compare(seed, 0, RUNS)
    expect(disagreement).toBeNull()
    expect(outcomes.get('valid')).toBeGreaterThan(RUNS / 10)
  })

  it('agree on every outcome that there is, for chains that are the same each time', () => {
    const { disagreement, outcomes } = compare(20_261_121, 0, RUNS)
    expect(disagreement).toBeNull()
    expect([...OUTCOMES, 'valid'].filter((name) => !outcomes.has(name))).toEqual([])
  })
})
