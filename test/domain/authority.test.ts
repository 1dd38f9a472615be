import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  admits,
  type Authority,
  type Bounded,
  narrow,
  ttlCeiling,
} from '../../src/domain/authority.ts'
import type { Constraint } from '../../src/domain/constraint.ts'
import { tighterTotals } from '../../src/domain/accounts.ts'
import { debitsOf } from '../../src/domain/debits.ts'
import type { Json, JsonObject } from '../../src/domain/json.ts'
import { covers } from '../../src/domain/scope.ts'
import * as model from '../fakes/authority-model.ts'

const RUNS = { numRuns: 300 }

describe('narrowing', () => {
  it('never widens: what the child admits, the parent admits', () => {
    fc.assert(
      fc.property(model.authority, model.narrowing, (parent, child) => {
        const narrowed = narrow(parent, child)
        if (!narrowed.ok) return
        const before = new Set(model.admitted(parent))
        expect(model.admitted(narrowed.authority).filter((call) => !before.has(call))).toEqual([])
      }),
      RUNS,
    )
  })

  it('accepts every tightening, and the parent itself, which changes nothing', () => {
    fc.assert(
      fc.property(model.authority, fc.infiniteStream(fc.nat()), (parent, random) => {
        expect(narrow(parent, parent)).toEqual({ ok: true, authority: parent })
        expect(narrow(parent, {})).toEqual({ ok: true, authority: parent })
        const child = model.tightened(parent, random)
        expect(narrow(parent, child)).toMatchObject({ ok: true })
      }),
      RUNS,
    )
  })

  it('is transitive', () => {
    fc.assert(
      fc.property(model.authority, fc.infiniteStream(fc.nat()), (top, random) => {
        const middle = authorityOf(narrow(top, model.tightened(top, random)))
        const leaf = authorityOf(narrow(middle, model.tightened(middle, random)))
        expect(narrow(top, leaf)).toMatchObject({ ok: true })
      }),
      RUNS,
    )
  })

  it('takes what is absent from the parent', () => {
    fc.assert(
      fc.property(model.authority, fc.infiniteStream(fc.nat()), fc.nat(), (parent, random, at) => {
        const child = model.tightened(parent, random)
        const dropped = at % Math.max(1, child.constraints.length)
        const fewer = child.constraints.filter((_bound, index) => index !== dropped)
        const lax = authorityOf(narrow(parent, { ...child, constraints: fewer }))
        const before = new Set(model.admitted(parent))
        const strict = model.admitted(authorityOf(narrow(parent, child)))
        const wider = model.admitted(lax)
        expect(wider).toEqual(expect.arrayContaining(strict))
        expect(wider.filter((call) => !before.has(call))).toEqual([])
      }),
      RUNS,
    )
  })

  it('does not care in which order anything is listed', () => {
    fc.assert(
      fc.property(model.authority, model.narrowing, (parent, child) => {
        const reversed = { ...child, constraints: child.constraints.toReversed() }
        expect(narrow(model.reversed(parent), reversed).ok).toBe(narrow(parent, child).ok)
      }),
      RUNS,
    )
  })

  // prettier-ignore
  it.each<[string, Partial<Authority>, Partial<Authority>]>([
    ['scopes[1]', { scopes: ['crm.read'] }, { scopes: ['crm.read', 'crm.*'] }],
    ['scopes[0]', { scopes: ['crm.*'] }, { scopes: ['crm.Read'] }],
    ['purpose', { purpose: 'support.refunds' }, { purpose: 'support' }],
    ['purpose', { purpose: 'support' }, { purpose: 'supporters' }],
    ['constraints[args.a,max]', bound({ max: 100 }), bound({ max: 101 })],
    ['constraints[args.a,min]', bound({ min: 5 }), bound({ min: 4 })],
    ['constraints[args.a,one_of]', bound({ one_of: ['x'] }), bound({ one_of: ['x', 'y'] })],
    ['constraints[args.a,not_one_of]', bound({ not_one_of: ['x', 'y'] }), bound({ not_one_of: ['x'] })],
    ['constraints[args.a,prefix]', bound({ prefix: 'a/b/' }), bound({ prefix: 'a/' })],
    ['constraints[args.a,subset_of]', bound({ subset_of: [1] }), bound({ subset_of: [1, 2] })],
    ['constraints[args.a,max_length]', bound({ max_length: 3 }), bound({ max_length: 4 })],
    ['constraints[args.a,rank]', bound({ rank: 'low', order: ['low', 'high'] }), bound({ rank: 'high', order: ['low', 'high'] })],
    ['constraints[args.a,rank]', bound({ rank: 'low', order: ['low', 'high'] }), bound({ rank: 'low', order: ['low', 'mid'] })],
    ['constraints[args.a,eq]', bound({ eq: 5 }), bound({ eq: '5' })],
    ['constraints[args.a,max_subtree]', bound({ max_subtree: 5 }), bound({ max_subtree: 6 })],
    ['constraints[args.a,max_lifetime]', bound({ max_lifetime: 5 }), bound({ max_lifetime: 6 })],
  ])('names %s when it would be wider', (field, parent, child) => {
    const above = { scopes: ['crm.*'], purpose: 'support', constraints: [], ...parent }
    expect(narrow(above, child)).toEqual({ ok: false, outcome: 'not_narrower', field })
  })
})

describe('what an authority admits', () => {
  it('is what the model admits, call by call', () => {
    fc.assert(
      fc.property(model.authority, (authority) => {
        const admitted = model.CALLS.filter(
          ({ call, purpose }) => admits(authority, call, purpose) === null,
        )
        expect(admitted).toEqual(model.admitted(authority))
      }),
      RUNS,
    )
  })

  it('is bounded by what the child left out [CHN-05]', () => {
    const parent = { scopes: ['crm.*'], purpose: 'support', ...bound({ max: 100 }) }
    const { constraints } = authorityOf(narrow(parent, { constraints: [] }))
    expect(outcome({ constraints }, { a: 101 })).toBe('ceiling_exceeded')
    expect(outcome({ constraints }, { a: 100 })).toBeUndefined()
  })

  it('is nothing under no scope [CHN-06], and a dot is a dot [CHN-08]', () => {
    expect(outcome({ scopes: [] }, {})).toBe('scope_not_granted')
    expect(covers('db.read', 'dbxread')).toBe(false)
    expect(covers('a.b.*', 'a.b')).toBe(false)
    expect(covers('a.b.*', 'a.b.c.d')).toBe(true)
  })

  it.each([
    'reports/../secrets',
    'reports%2f..',
    'REPORTS/x',
    'reports2/x',
    'reports/./x',
    'reports//x',
    'reports\\x',
    'reports/..',
    'reports/\u0001',
    7,
    null,
    ['reports/x'],
  ])('is not %j under a prefix [ARG-13]', (a) => {
    expect(outcome(bound({ prefix: 'reports/' }), { a })).toBe('ceiling_exceeded')
  })

  it('includes a clean value under a prefix [ARG-13]', () => {
    expect(outcome(bound({ prefix: 'reports/' }), { a: 'reports/x' })).toBeUndefined()
  })

  it.each<[Record<string, Json>, Json | undefined]>([
    [{ not_one_of: ['x'] }, undefined],
    [{ not_one_of: ['x'] }, ['y']],
    [{ min: 1 }, '5'],
    [{ max: 1 }, null],
    [{ eq: 5 }, '5'],
    [{ max_length: 3 }, 2],
    [{ subset_of: [1] }, 1],
    [{ subset_of: [1] }, [[1]]],
    [{ max_subtree: 9 }, 1.5],
    [{ max_subtree: 9 }, -1],
    [{ max_lifetime: 9 }, undefined],
  ])('never includes a value of the wrong type: %j of %j', (type, a) => {
    expect(outcome(bound(type), a === undefined ? {} : { a })).toBe('ceiling_exceeded')
  })

  it('counts code points, and walks no prototype', () => {
    expect(outcome(bound({ max_length: 2 }), { a: '😀😀' })).toBeUndefined()
    expect(outcome(bound({ not_one_of: ['x'] }, 'args.constructor.name'), {})).toBe(
      'ceiling_exceeded',
    )
  })

  it('holds a bound of one tool to that tool, and clamps by ttl_seconds without refusing', () => {
    const other = bound({ max: 1 }, 'crm.other#args.a')
    expect(outcome(other, { a: 5 })).toBeUndefined()
    expect(outcome(bound({ max: 1 }, 'crm.*#args.a'), { a: 5 })).toBe('ceiling_exceeded')
    const short = bound({ max: 30 }, 'ttl_seconds')
    expect(outcome(short, {})).toBeUndefined()
    expect(ttlCeiling({ ...ANY, ...short })).toBe(30)
    expect(ttlCeiling(ANY)).toBeNull()
  })

  it('names the bound and never the value', () => {
    const refused = admits({ ...ANY, ...bound({ max: 100 }) }, aCall({ a: 987654 }), 'support')
    expect(refused).toMatchObject({
      field: 'constraints[args.a,max]',
      detail: 'args.a must be at most 100',
    })
  })
})

describe('debits', () => {
  const total = (key: string, type: 'max_subtree' | 'max_lifetime', limit: number) =>
    ({ key, [type]: limit }) as unknown as Constraint
  const granted: Authority = {
    ...ANY,
    constraints: [total('calls', 'max_subtree', 9), total('args.a', 'max_lifetime', 100)],
  }

  it('are made from the consent, by key', () => {
    const accounts = [{ id: 'con_1', bounds: granted.constraints }]
    expect(debitsOf(accounts, aCall({ a: 20 }))).toEqual([
      { account: 'con_1', key: 'args.a', type: 'max_lifetime', amount: 20 },
      { account: 'con_1', key: 'calls', type: 'max_subtree', amount: 1 },
    ])
  })

  it('are made last from a session, and only from totals tighter than the consent has', () => {
    const effective = authorityOf(
      narrow(granted, {
        constraints: [total('calls', 'max_subtree', 2), total('args.a', 'max_subtree', 50)],
      }),
    )
    const accounts = [{ id: 'jti', bounds: tighterTotals(effective, granted) }]
    expect(debitsOf(accounts, aCall({ a: 20 }))).toEqual([
      { account: 'jti', key: 'args.a', type: 'max_subtree', amount: 20 },
      { account: 'jti', key: 'calls', type: 'max_subtree', amount: 1 },
    ])
  })
})

const ANY: Authority = { scopes: ['crm.*'], purpose: 'support', constraints: [] }

function bound(type: Record<string, Json>, key = 'args.a'): Pick<Authority, 'constraints'> {
  return { constraints: [{ key, ...type } as unknown as Constraint] }
}

function aCall(args: JsonObject): Bounded {
  return { tool: { name: 'crm.read' }, arguments: args, facts: {} }
}

function outcome(authority: Partial<Authority>, args: JsonObject): string | undefined {
  return admits({ ...ANY, ...authority }, aCall(args), 'support')?.outcome
}

function authorityOf(narrowed: ReturnType<typeof narrow>): Authority {
  if (!narrowed.ok) throw new Error(`refused: ${narrowed.field}`)
  return narrowed.authority
}
