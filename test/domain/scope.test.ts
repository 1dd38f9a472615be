import { describe, expect, it } from 'vitest'
import { covers, isScope, isToolName, isWildcard } from '../../src/domain/scope.ts'

const long = (length: number) => `a.${'b'.repeat(length - 2)}`

describe('a scope', () => {
  it.each([
    ['a.b', 'tool'],
    ['a.b_c-d.e9', 'tool'],
    [long(64), 'tool'],
    ['a.*', 'wildcard'],
    ['a.b.*', 'wildcard'],
    [`${long(64)}.*`, 'wildcard'],
    [long(65), 'neither'],
    [`${long(65)}.*`, 'neither'],
    ['a', 'neither'],
    ['*', 'neither'],
    ['.*', 'neither'],
    ['a*', 'neither'],
    ['a.*.b', 'neither'],
    ['a.*x', 'neither'],
    ['x a.*', 'neither'],
    ['9.b', 'neither'],
    ['a.9', 'neither'],
    ['a..b', 'neither'],
    ['a.b.', 'neither'],
    [' a.b', 'neither'],
    ['a.b\n', 'neither'],
    ['', 'neither'],
  ])('%j is a tool’s name, all below a name, or neither: %s', (text, kind) => {
    const found = isToolName(text) ? 'tool' : isWildcard(text) ? 'wildcard' : 'neither'
    expect(found).toBe(kind)
    expect(isToolName(text) && isWildcard(text)).toBe(false)
  })

  it.each([
    ['a.b', true],
    ['a.*', true],
    ['openid', true],
    ['urn:x!#(y)', true],
    ['9', true],
    ['Word', true],
    ['x'.repeat(1024), true],
    ['x'.repeat(1025), false],
    ['A.b', false],
    ['a.B.c', false],
    ['a b', false],
    ['a"b', false],
    ['a\\b', false],
    ['a*', false],
    ['*', false],
    ['é', false],
    ['a\u007f', false],
    ['', false],
  ])('%j may be stated: %s', (text, expected) => {
    expect(isScope(text)).toBe(expected)
  })
})

describe('covering', () => {
  it.each([
    ['a.b', 'a.b', true],
    ['word', 'word', true],
    ['a.*', 'a.b', true],
    ['a.*', 'a.b.c', true],
    ['a.*', 'a.b.*', true],
    ['a.*', 'a.*', true],
    ['a.b.*', 'a.*', false],
    ['a.*', 'a', false],
    ['a.*', 'ab.c', false],
    ['a.*', 'b.a.c', false],
    ['a.*', 'a.b c', false],
    ['a.*', 'a.B', false],
    ['a.b', 'a.b.c', false],
    ['a.', 'a.b', false],
    ['word', 'word.a', false],
  ])('[CHN-08] %s covers %s: %s', (scope, other, expected) => {
    expect(covers(scope, other)).toBe(expected)
  })
})
