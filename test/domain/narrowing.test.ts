import { describe, expect, it } from 'vitest'
import {
  admits,
  appliesTo,
  type Authority,
  type Bounded,
  narrow,
  quantityOf,
  ttlCeiling,
} from '../../src/domain/authority.ts'
import type { Constraint } from '../../src/domain/constraint.ts'
import type { Json } from '../../src/domain/json.ts'

const bound = (key: string, of: Record<string, Json>) => ({ key, ...of }) as unknown as Constraint
const parent: Authority = {
  ...{ scopes: ['crm.*', 'hr.read'], purpose: 'support' },
  constraints: [bound('args.a', { max: 100 }), bound('args.b', { eq: 'x' })],
}
const call: Bounded = {
  ...{ tool: { name: 'crm.read' }, arguments: { a: 5, b: 'x', c: { d: 7 } }, facts: { rows: 3 } },
}

describe('narrowing', () => {
  it('takes what is absent from the parent', () => {
    expect(narrow(parent, {})).toEqual({ ok: true, authority: parent })
    const scopes = ['crm.read', 'hr.read']
    expect(narrow(parent, { scopes })).toEqual({ ok: true, authority: { ...parent, scopes } })
    const purpose = 'support.refunds'
    expect(narrow(parent, { purpose })).toEqual({ ok: true, authority: { ...parent, purpose } })
  })

  it('adds bounds, and puts tighter ones in the place of those above', () => {
    const constraints = [bound('args.a', { max: 9 }), bound('args.a', { min: 1 })]
    expect(narrow(parent, { constraints })).toEqual({
      ok: true,
      authority: {
        ...parent,
        constraints: [constraints[0], parent.constraints[1], constraints[1]],
      },
    })
  })

  it.each<[string, Parameters<typeof narrow>[1]]>([
    ['scopes[0]', { scopes: ['*'] }],
    ['scopes[1]', { scopes: ['crm.read', 'hr.write', 'x.y'] }],
    ['purpose', { purpose: 'sales' }],
    ['constraints[args.a,max]', { constraints: [bound('args.a', { max: 101 })] }],
    [
      'constraints[args.c,max]',
      { constraints: [bound('args.c', { max: 1 }), bound('args.c', { max: 2 })] },
    ],
  ])('names %s, where that would be wider', (field, child) => {
    expect(narrow(parent, child)).toEqual({ ok: false, outcome: 'not_narrower', field })
  })
})

describe('narrowing a token that may be handed on', () => {
  const above = { ...parent, delMaxDepth: 4 }

  it('lets its depth fall, or stay, and never rise', () => {
    expect(narrow(above, {})).toEqual({ ok: true, authority: above })
    const lower = { ...above, delMaxDepth: 2 }
    expect(narrow(above, { delMaxDepth: 2 })).toEqual({ ok: true, authority: lower })
    const refused = { ok: false, outcome: 'not_narrower', field: 'del_max_depth' }
    expect(narrow(above, { delMaxDepth: 5, purpose: 'sales' })).toEqual(refused)
    expect(narrow(parent, { delMaxDepth: 2 })).toEqual(refused)
  })

  it('wants each bound repeated, where that is asked for', () => {
    const repeat = { repeat: true }
    expect(narrow(above, above, repeat)).toEqual({ ok: true, authority: above })
    const constraints = above.constraints.slice(1)
    const field = 'constraints[args.a,max]'
    expect(narrow(above, { constraints }, repeat)).toMatchObject({ ok: false, field })
    expect(narrow(above, { constraints })).toMatchObject({ ok: true })
  })
})

describe('what is outside', () => {
  const outside = (of: Partial<Bounded>, purpose = 'support') =>
    admits(parent, { ...call, ...of }, purpose)

  it('is nothing that was handed down', () => {
    expect(outside({})).toBeNull()
    expect(outside({}, 'support.refunds')).toBeNull()
    expect(outside({ tool: { name: 'hr.read' } })).toBeNull()
  })

  it('is told with what bounds it, and never with what was sent', () => {
    expect(outside({ tool: { name: 'hr.write' } })).toEqual({
      ...{ outcome: 'scope_not_granted', field: 'scopes' },
      detail: 'hr.write is not among the tools that were handed down',
    })
    expect(outside({}, 'sales')).toEqual({
      ...{ outcome: 'not_narrower', field: 'purpose' },
      detail: 'the purpose must be support, or one below it',
    })
    expect(outside({ arguments: { a: 987_654, b: 'x' } })).toEqual({
      ...{ outcome: 'ceiling_exceeded', field: 'constraints[args.a,max]' },
      detail: 'args.a must be at most 100',
    })
    expect(outside({ arguments: { a: 5 } })?.field).toBe('constraints[args.b,eq]')
  })
})

describe('a bound of a call', () => {
  it.each([
    ['args.a', true],
    ['calls', true],
    ['ttl_seconds', false],
    ['crm.read#args.a', true],
    ['crm.*#args.a', true],
    ['crm.write#args.a', false],
    ['hr.*#args.a', false],
    ['#args.a', false],
  ])('%s applies: %s', (key, expected) => {
    expect(appliesTo(bound(key, { max: 1 }), call)).toBe(expected)
  })

  it.each<[string, Json | undefined]>([
    ['calls', 1],
    ['args.a', 5],
    ['args.c.d', 7],
    ['facts.rows', 3],
    ['crm.*#args.a', 5],
    ['crm.read#facts.rows', 3],
    ['args.none', undefined],
  ])('%s is about %j', (key, value) => {
    expect(quantityOf(bound(key, { max: 1 }), call)).toBe(value)
  })

  it('clamps the lifetime by the least of its ends, and by no other bound', () => {
    const ceiling = (...constraints: Constraint[]) => ttlCeiling({ ...parent, constraints })
    expect(ceiling()).toBeNull()
    expect(ceiling(bound('args.a', { max: 9 }), bound('ttl_seconds', { min: 5 }))).toBeNull()
    expect(ceiling(bound('ttl_seconds', { max: 60 }))).toBe(60)
    expect(ceiling(bound('ttl_seconds', { max: 60 }), bound('ttl_seconds', { max: 30 }))).toBe(30)
  })
})
