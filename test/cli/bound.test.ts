import { describe, expect, it } from 'vitest'
import { boundOf } from '../../src/cli/bound.ts'

const TABLES = { key: 'facts.tables', subset_of: ['a', 'b'] }

describe('a bound as it is typed', () => {
  it.each([
    ['facts.tables=a', [TABLES], { key: 'facts.tables', subset_of: ['a'] }],
    ['args.currency=EUR,GBP', [], { key: 'args.currency', one_of: ['EUR', 'GBP'] }],
    ['args.currency=EUR', [], { key: 'args.currency', eq: 'EUR' }],
    [
      'args.currency=EUR',
      [{ key: 'args.currency', one_of: ['EUR', 'GBP'] }],
      { key: 'args.currency', one_of: ['EUR'] },
    ],
    ['args.dry=true', [], { key: 'args.dry', eq: true }],
    ['args.amount<=500', [], { key: 'args.amount', max: 500 }],
    ['payments.refund#args.amount>=5', [], { key: 'payments.refund#args.amount', min: 5 }],
    ['args.path^=reports/', [], { key: 'args.path', prefix: 'reports/' }],
    ['{"key":"calls","max_lifetime":2}', [], { key: 'calls', max_lifetime: 2 }],
  ])('%s', (text, above, bound) => {
    expect(boundOf(text, above)).toEqual(bound)
  })

  it.each([
    'nonsense',
    'tables=a',
    'args.amount<=many',
    'args.path^=reports',
    '{"key":1}',
    '{',
    '',
  ])('%s is none', (text) => {
    expect(() => boundOf(text, [])).toThrow(/is no bound/)
  })
})
