import { describe, expect, it } from 'vitest'
import type { Json } from '../../src/domain/json.ts'
import { checkFor } from '../../src/policy/argument-check.ts'
import type { ArgumentSchema } from '../../src/policy/argument-schema.ts'

const TEXT = { type: 'string' } as const

/** The rules that a value of this type breaks, where it is the one argument. */
function broken(of: ArgumentSchema, a: Json): string[] {
  const check = checkFor({ type: 'object', properties: { a: of }, required: ['a'] })
  return check({ a }).map(({ pointer, rule }) => `${pointer} ${rule}`)
}

describe('arguments', () => {
  it.each<[string, ArgumentSchema, Json, Json, string]>([
    ['text', { type: 'string' }, '5', 5, '/arguments/a invalid_type'],
    ['text, not null', { type: 'string' }, '', null, '/arguments/a invalid_type'],
    ['a whole number', { type: 'integer' }, 5, '5', '/arguments/a invalid_type'],
    ['a whole number, not a broken one', { type: 'integer' }, 5, 5.5, '/arguments/a invalid_type'],
    ['any number', { type: 'number' }, 5.5, '5.5', '/arguments/a invalid_type'],
    ['a truth value', { type: 'boolean' }, false, 0, '/arguments/a invalid_type'],
    [
      'one of a choice',
      { type: 'string', enum: ['x', 'y'] },
      'y',
      'Y',
      '/arguments/a invalid_value',
    ],
    ['one of some numbers', { type: 'integer', enum: [1, 2] }, 2, 3, '/arguments/a invalid_value'],
    ['short enough', { type: 'string', maxLength: 2 }, '😀😀', '😀😀😀', '/arguments/a too_big'],
    ['long enough', { type: 'string', minLength: 2 }, '😀😀', '😀', '/arguments/a too_small'],
    ['small enough', { type: 'number', maximum: 1.5 }, 1.5, 1.6, '/arguments/a too_big'],
    [
      'of letters',
      { type: 'string', pattern: '^\\p{L}+$' },
      'é',
      'p{L}',
      '/arguments/a invalid_format',
    ],
    [
      'one character',
      { type: 'string', pattern: '^.$' },
      '😀',
      '😀😀',
      '/arguments/a invalid_format',
    ],
    [
      'enough items',
      { type: 'array', items: { type: 'integer' }, minItems: 1 },
      [1],
      [],
      '/arguments/a too_small',
    ],
    [
      'few items',
      { type: 'array', items: { type: 'integer' }, maxItems: 1 },
      [1],
      [1, 2],
      '/arguments/a too_big',
    ],
    [
      'a list of one type',
      { type: 'array', items: { type: 'integer' } },
      [1],
      [1, 'x'],
      '/arguments/a/1 invalid_type',
    ],
    [
      'a list, no object',
      { type: 'array', items: { type: 'integer' } },
      [],
      {},
      '/arguments/a invalid_type',
    ],
    ['an object, no list', { type: 'object', properties: {} }, {}, [], '/arguments/a invalid_type'],
    [
      'closed inside',
      { type: 'object', properties: {} },
      {},
      { 'b/~': 1 },
      '/arguments/a/b~1~0 unknown_member',
    ],
    [
      'closed to names that every object has',
      { type: 'object', properties: {} },
      {},
      { constructor: 1 },
      '/arguments/a/constructor unknown_member',
    ],
    [
      'what is required',
      { type: 'object', properties: { b: { type: 'integer' } }, required: ['b'] },
      { b: 1 },
      {},
      '/arguments/a/b invalid_type',
    ],
    [
      'required, also where every object has it',
      { type: 'object', properties: { toString: TEXT }, required: ['toString'] },
      { toString: '' },
      {},
      '/arguments/a/toString invalid_type',
    ],
  ])('[ARG-10] [ARG-11] are %s', (_what, schema, good, ...[bad, misfit]) => {
    expect(broken(schema, good)).toEqual([])
    expect(broken(schema, bad)).toEqual([misfit])
  })

  it('are held to every keyword: a choice does not lift a bound', () => {
    expect(broken({ type: 'integer', enum: [1, 9], maximum: 5 }, 9)).toEqual([
      '/arguments/a too_big',
    ])
    expect(broken({ type: 'string', enum: ['ab'], minLength: 3 }, 'ab')).toEqual([
      '/arguments/a too_small',
    ])
  })

  it('have at most twenty of their misfits told', () => {
    const many: ArgumentSchema = { type: 'array', items: { type: 'integer' } }
    expect(
      broken(
        many,
        Array.from({ length: 10_000 }, () => 'x'),
      ),
    ).toHaveLength(20)
  })
})
