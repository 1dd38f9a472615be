import { describe, expect, it } from 'vitest'
import { tighterTotals } from '../../src/domain/accounts.ts'
import type { Authority, Bounded } from '../../src/domain/authority.ts'
import type { Constraint } from '../../src/domain/constraint.ts'
import { debitsOf } from '../../src/domain/debits.ts'
import type { Json } from '../../src/domain/json.ts'

const bound = (key: string, of: Record<string, Json>) => ({ key, ...of }) as unknown as Constraint
const authority = (...constraints: Constraint[]): Authority => ({
  ...{ scopes: ['crm.*'], purpose: 'support', constraints },
})
const call: Bounded = {
  ...{ tool: { name: 'crm.read' }, arguments: { a: 20, word: 'x', half: 0.5 }, facts: { rows: 3 } },
}
const debits = (granted: Authority, effective = granted) =>
  debitsOf(
    [
      { id: 'con_1', bounds: granted.constraints },
      { id: 'jti', bounds: tighterTotals(effective, granted) },
    ],
    call,
  ).map(({ account, key, type, amount }) => `${account} ${key} ${type} ${String(amount)}`)

describe('what a call takes', () => {
  it('is taken by key, then by type, and from bounds on each call nothing is', () => {
    const all = authority(
      bound('calls', { max_subtree: 9 }),
      bound('args.a', { max_subtree: 9 }),
      bound('args.a', { max_lifetime: 9 }),
      bound('args.a', { max: 99 }),
      bound('facts.rows', { max_lifetime: 9 }),
      bound('ttl_seconds', { max: 60 }),
    )
    const taken = [
      'con_1 args.a max_lifetime 20',
      'con_1 args.a max_subtree 20',
      'con_1 calls max_subtree 1',
      'con_1 facts.rows max_lifetime 3',
    ]
    expect(debits(all)).toEqual(taken)
    const turned = authority(...all.constraints.toReversed())
    expect(debits(turned)).toEqual(taken)
  })

  it('is nothing from a total of another tool', () => {
    const some = authority(
      bound('crm.write#calls', { max_subtree: 9 }),
      bound('crm.*#args.a', { max_subtree: 9 }),
    )
    expect(debits(some)).toEqual(['con_1 crm.*#args.a max_subtree 20'])
  })

  it.each(['args.word', 'args.half', 'args.absent'])(
    'is no amount where %s adds up to none: such a call is not admitted',
    (key) => {
      expect(() => debits(authority(bound(key, { max_subtree: 9 })))).toThrow('not admitted')
    },
  )

  it('is taken from the session too, but only where that is tighter', () => {
    const granted = authority(bound('calls', { max_subtree: 9 }), bound('args.a', { max: 99 }))
    const tighter = authority(
      bound('calls', { max_subtree: 8 }),
      bound('args.a', { max: 20 }),
      bound('facts.rows', { max_lifetime: 5 }),
    )
    const fromConsent = 'con_1 calls max_subtree 1'
    const fromSession = ['jti calls max_subtree 1', 'jti facts.rows max_lifetime 3']
    expect(debits(granted, tighter)).toEqual([fromConsent, ...fromSession])
    expect(debits(granted, granted)).toEqual([fromConsent])
  })
})

it('a total as tight as the one above it is already kept there', () => {
  const above = authority(bound('calls', { max_subtree: 9 }), bound('args.a', { max_subtree: 5 }))
  const own = authority(
    bound('calls', { max_subtree: 9 }),
    bound('args.a', { max_subtree: 4 }),
    bound('args.b', { max_subtree: 1 }),
    bound('args.c', { max: 1 }),
  )
  expect(tighterTotals(own, above).map(({ key }) => key)).toEqual(['args.a', 'args.b'])
})
