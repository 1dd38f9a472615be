import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ChainAuthority, narrow } from '../../src/domain/authority.ts'
import { droppedBetween } from '../../src/domain/dropped.ts'

const NOTHING = { scopes: [], purpose: null, constraints: [], hops: 0 }

const authority: fc.Arbitrary<ChainAuthority> = fc.record({
  scopes: fc.constantFrom(['crm.*', 'sql.query'], ['sql.query']),
  purpose: fc.constantFrom('support', 'support.refunds'),
  constraints: fc
    .tuple(fc.integer({ min: 1, max: 9 }), fc.subarray(['EUR', 'GBP', 'USD'], { minLength: 1 }))
    .map(([max, one_of]) => [
      { key: 'args.amount', max },
      { key: 'args.currency', one_of },
    ]),
  delMaxDepth: fc.integer({ min: 2, max: 8 }),
})

describe('what a hop dropped', () => {
  it('is nothing when it was handed on whole, and something whenever anything is less', () => {
    fc.assert(
      fc.property(authority, authority, (above, below) => {
        const narrowed = narrow(above, below)
        fc.pre(narrowed.ok)
        const dropped = droppedBetween(above, narrowed.authority)
        const isSame = JSON.stringify(above) === JSON.stringify(narrowed.authority)
        if (isSame) expect(dropped).toEqual(NOTHING)
        else expect(dropped).not.toEqual(NOTHING)
      }),
      { numRuns: 300, seed: 7 },
    )
  })

  it('names a wildcard that is not there in full', () => {
    const above = { scopes: ['crm.*', 'sql.query'], purpose: 'support', constraints: [] }
    const below = { ...above, scopes: ['crm.customer.read'] }
    expect(droppedBetween(above, below).scopes).toEqual(['crm.*', 'sql.query'])
    expect(droppedBetween(above, { ...above, scopes: ['crm.*'] }).scopes).toEqual(['sql.query'])
  })

  it('names a bound that was not there before', () => {
    const above = { scopes: ['crm.*'], purpose: 'support', constraints: [] }
    const below = { ...above, constraints: [{ key: 'args.path', prefix: 'a/' }] }
    expect(droppedBetween(above, below).constraints).toEqual([
      { key: 'args.path', type: 'prefix', was: null, is: 'a/' },
    ])
  })
})
