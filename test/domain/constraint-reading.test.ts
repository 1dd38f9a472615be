import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readConstraints, readScopes } from '../../src/domain/constraint-reading.ts'
import type { Json, JsonObject } from '../../src/domain/json.ts'
import { isScope } from '../../src/domain/scope.ts'
import * as model from '../fakes/authority-model.ts'

const RUNS = { numRuns: 300 }

describe('reading constraints', () => {
  it.each<[string, Json]>([
    ['/0: unknown_constraint', [{ key: 'args.geo', geo_fence: 'EU' }]],
    ['/0: exactly one type', [{ key: 'args.a' }]],
    ['/0: exactly one type', [{ key: 'args.a', geo_fence: 'EU', max: 1 }]],
    ['/0/key: unknown_constraint', [{ key: 'amount', max: 1 }]],
    ['/0/key: unknown_constraint', [{ key: 'args.a\n', max: 1 }]],
    ['/0/key: unknown_constraint', [{ key: 'Crm.x#args.a', max: 1 }]],
    ['/0: exactly one type', [{ key: 'args.a', max: 1, min: 0 }]],
    ['/0: exactly one type', [{ key: 'args.a', max: 1, note: 'x' }]],
    ['/0/order: two or more distinct strings', [{ key: 'args.a', rank: 'low' }]],
    ['/0/rank: one of order', [{ key: 'args.a', rank: 'x', order: ['low', 'high'] }]],
    [
      '/1: unique',
      [
        { key: 'args.a', max: 1 },
        { key: 'args.a', max: 2 },
      ],
    ],
    ['/0/prefix: clean, and ending in / . or :', [{ key: 'args.a', prefix: 'reports' }]],
    ['/0/prefix: clean, and ending in / . or :', [{ key: 'args.a', prefix: 'a/../' }]],
    ['/0/max: calls takes max_lifetime or max_subtree', [{ key: 'calls', max: 1 }]],
    ['/0/max_subtree: ttl_seconds takes max', [{ key: 'ttl_seconds', max_subtree: 1 }]],
    ['/0/max_subtree: whole number', [{ key: 'calls', max_subtree: 1.5 }]],
    ['/0/max_length: whole number', [{ key: 'args.a', max_length: -1 }]],
    ['/0/one_of: up to 256 distinct scalars', [{ key: 'args.a', one_of: ['x', 'x'] }]],
    ['/0/one_of: up to 256 distinct scalars', [{ key: 'args.a', one_of: [null] }]],
    ['/0/eq: string, integer or boolean', [{ key: 'args.a', eq: 1.5 }]],
    ['/0/eq: string, integer or boolean', [{ key: 'args.a', eq: 'x'.repeat(1025) }]],
    [
      ': at most 64 constraints',
      Array.from({ length: 65 }, (_x, at) => ({ key: `args.a${String(at)}`, max: 1 })),
    ],
    [': array', { key: 'args.a', max: 1 }],
  ])('refuses with %s', (expected, value) => {
    const read = readConstraints(value)
    expect(read.ok ? 'accepted' : `${read.pointer}: ${read.rule}`).toBe(expected)
  })

  it('accepts every type that there is', () => {
    fc.assert(
      fc.property(model.authority, ({ constraints, scopes }) => {
        const value = constraints.map((one) => ({ ...one })) as JsonObject[]
        expect(readConstraints(value)).toEqual({ ok: true, value })
        expect(readScopes([...new Set(scopes)])).toMatchObject({ ok: true })
      }),
      RUNS,
    )
  })

  it.each([
    '*',
    'crm.re*',
    'crm.*.read',
    'DB.Read',
    'db.READ',
    'crm.réad',
    'crm.\u200bread',
    'crm.read\n',
    '',
  ])('refuses the scope %j [CHN-07] [CHN-09] [CHN-10]', (scope) => {
    expect(isScope(scope)).toBe(false)
  })
})
