import { describe, expect, it } from 'vitest'
import {
  type Constraint,
  constraintKey,
  constraintType,
  isAsTight,
  isClean,
  isCumulative,
  isScalar,
  meets,
  says,
} from '../../src/domain/constraint.ts'
import type { Json } from '../../src/domain/json.ts'

const bound = (of: Record<string, Json>) => ({ key: 'args.a', ...of }) as unknown as Constraint
const RANK = { rank: 'mid', order: ['low', 'mid', 'high'] }

describe('what a bound says', () => {
  it.each<[Record<string, Json>, string]>([
    [{ eq: 'x' }, 'args.a must be "x"'],
    [{ one_of: ['x', 1, true] }, 'args.a must be one of "x", 1, true'],
    [{ one_of: [1, 2, 3, 4, 5] }, 'args.a must be one of 1, 2, 3, 4, 5'],
    [{ one_of: [1, 2, 3, 4, 5, 6, 7] }, 'args.a must be one of 1, 2, 3, 4, 5, 2 more'],
    [{ not_one_of: ['x'] }, 'args.a must be none of "x"'],
    [{ prefix: 'a/' }, 'args.a must begin with "a/"'],
    [{ min: 1 }, 'args.a must be at least 1'],
    [{ max: 9 }, 'args.a must be at most 9'],
    [{ subset_of: ['x'] }, 'args.a may hold nothing but "x"'],
    [{ max_length: 3 }, 'args.a must be no longer than 3'],
    [RANK, 'args.a must be at most "mid"'],
    [{ max_subtree: 9 }, 'args.a must be a whole number, for it adds up'],
    [{ max_lifetime: 9 }, 'args.a must be a whole number, for it adds up'],
  ])('is its own words: %j', (of, text) => {
    expect(says(bound(of))).toBe(text)
  })
})

describe('a bound', () => {
  it('has one type, by which and its key it is known', () => {
    expect(constraintKey(bound({ max: 5 }))).toBe('args.a,max')
    expect(constraintType(bound(RANK))).toBe('rank')
    expect(() => constraintType({ key: 'args.a' } as unknown as Constraint)).toThrow(TypeError)
  })

  it('is of a running total, or of each call', () => {
    const cumulative = [{ max_lifetime: 1 }, { max_subtree: 1 }, { max: 1 }, { eq: 1 }]
    expect(cumulative.map((of) => isCumulative(bound(of)))).toEqual([true, true, false, false])
  })

  it.each<[Record<string, Json>, Json[], Json[]]>([
    [{ eq: 5 }, [5], [6, '5', null, [5]]],
    [{ one_of: ['x', 5] }, ['x', 5], ['y', '5', null, ['x'], {}]],
    [{ not_one_of: ['x'] }, ['y', 5, true], ['x', null, ['y'], {}]],
    [{ prefix: 'a/' }, ['a/', 'a/b'], ['b/a/', 'a/../b', 'a', 5, ['a/b']]],
    [{ min: 5 }, [5, 6, 5.5], [4, 4.9, -6, '6', null]],
    [{ max: 5 }, [5, 4, -1, 4.5], [6, 5.1, '4', null]],
    [{ subset_of: ['x', 5] }, [[], ['x'], [5, 'x', 'x']], [['y'], ['x', 'y'], 'x', [['x']], null]],
    [{ max_length: 2 }, ['', 'ab', '😀😀', [1, 2], []], ['abc', [1, 2, 3], 5, {}, null]],
    [RANK, ['low', 'mid'], ['high', 'other', '', 1, ['low']]],
    [{ max_subtree: 9 }, [0, 9, 100], [-1, 1.5, '1', null, 2 ** 53]],
    [{ max_lifetime: 9 }, [0, 9, 100], [-1, 1.5, '1', null, 2 ** 53]],
  ])('%j is met by exactly what is within it', (of, within, beyond) => {
    for (const value of within) expect([value, meets(bound(of), value)]).toEqual([value, true])
    for (const value of beyond) expect([value, meets(bound(of), value)]).toEqual([value, false])
    expect(meets(bound(of), undefined)).toBe(false)
  })

  it.each<[Record<string, Json>, Record<string, Json>[], Record<string, Json>[]]>([
    [{ eq: 5 }, [{ eq: 5 }], [{ eq: 6 }, { eq: '5' }, { max: 5 }]],
    [{ one_of: [1, 2] }, [{ one_of: [1] }, { one_of: [] }], [{ one_of: [1, 3] }, { eq: 1 }]],
    [{ not_one_of: [1] }, [{ not_one_of: [1, 2] }], [{ not_one_of: [] }, { not_one_of: [2] }]],
    [{ prefix: 'a/' }, [{ prefix: 'a/b/' }], [{ prefix: 'b/a/' }, { prefix: '/' }]],
    [{ min: 5 }, [{ min: 5 }, { min: 6 }], [{ min: 4 }]],
    [{ max: 5 }, [{ max: 5 }, { max: 4 }], [{ max: 6 }]],
    [{ subset_of: [1, 2] }, [{ subset_of: [2] }], [{ subset_of: [2, 3] }]],
    [{ max_length: 5 }, [{ max_length: 5 }, { max_length: 4 }], [{ max_length: 6 }]],
    [
      RANK,
      [RANK, { ...RANK, rank: 'low' }],
      [
        { ...RANK, rank: 'high' },
        { rank: 'low', order: ['low', 'mid'] },
        { rank: 'low', order: ['low', 'mid', 'high', 'top'] },
        { rank: 'low', order: ['low', 'high', 'mid'] },
      ],
    ],
    [{ max_lifetime: 5 }, [{ max_lifetime: 5 }, { max_lifetime: 4 }], [{ max_lifetime: 6 }]],
    [{ max_subtree: 5 }, [{ max_subtree: 5 }, { max_subtree: 4 }], [{ max_subtree: 6 }]],
  ])('%j is kept by exactly what is as tight', (of, tight, lax) => {
    for (const child of tight)
      expect([child, isAsTight(bound(child), bound(of))]).toEqual([child, true])
    for (const child of lax)
      expect([child, isAsTight(bound(child), bound(of))]).toEqual([child, false])
    for (const child of tight)
      expect(isAsTight({ ...bound(child), key: 'args.b' }, bound(of))).toBe(false)
  })
})

describe('a text that is compared by its beginning', () => {
  it.each([
    ['a/b', true],
    ['a/b.c', true],
    ['a/..b', true],
    ['a/b..', true],
    ['...', true],
    ['.', false],
    ['..', false],
    ['a/./b', false],
    ['a:..', false],
    ['../a', false],
    ['a//b', false],
    ['a%2fb', false],
    ['a\\b', false],
    ['a\u0000', false],
    ['a\u001f', false],
    ['a\u007f', false],
    ['a\u009f', false],
    ['a\u00a0', true],
    ['a b', true],
  ])('[ARG-13] %j is clean: %s', (text, expected) => {
    expect(isClean(text)).toBe(expected)
  })
})

it('a scalar is a text, a number or a truth value', () => {
  expect(['', 0, false, null, [], {}].map((value) => isScalar(value))).toEqual([
    ...[true, true, true],
    ...[false, false, false],
  ])
})
