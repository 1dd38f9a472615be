import { describe, expect, it } from 'vitest'
import {
  canonical,
  type Json,
  JsonError,
  type JsonObject,
  parseTrusted,
  readJson,
} from '../../src/domain/json.ts'

const read = (text: string): JsonObject => readJson(Buffer.from(text, 'utf8'))

/** The code and message a text is refused with. */
function refusal(text: string): string {
  try {
    read(text)
  } catch (error) {
    if (error instanceof JsonError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'read'
}

describe('the strict reader, at its edges', () => {
  it.each([
    ['another mark for a comma', '{"a":1;"b":2}', /^malformed_request: .*comma.*character 6/],
    ['a name without its first quote', '{a":1}', /^malformed_request: .*name.*character 1\)/],
    ['a name that begins with underscores', '{"__x":1}', /^malformed_request: .*two underscores/],
    ['a mark-less value', '{"a":.}', /^malformed_request: .*value is missing/],
  ])('[ARG-01] refuses %s itself, and leaves it to no other reader', (_what, text, said) => {
    expect(refusal(text)).toMatch(said)
  })

  it.each<[string, string, JsonObject]>([
    ['a name that ends with underscores', '{"x__":1}', { x__: 1 }],
    ['a small decimal, written out', '{"a":0.00000012}', { a: 1.2e-7 }],
    ['its negative', '{"a":-0.00000012}', { a: -1.2e-7 }],
    ['zero with an exponent', '{"a":0e5}', { a: 0 }],
    ['a large decimal, written out', '{"a":123456789012345.50}', { a: 123456789012345.5 }],
  ])('[ARG-04] reads %s', (_what, text, value) => {
    expect(read(text)).toEqual(value)
  })
})

describe('the canonical form, at its edges', () => {
  it('is that of an object without a prototype, too', () => {
    const bare = Object.assign(Object.create(null) as object, { b: 1, a: 2 })
    expect(canonical(bare as Json)).toBe('{"a":2,"b":1}')
  })

  it('is not that of a class, a function or a symbol', () => {
    class Point {
      readonly x = 1
    }
    for (const value of [new Point(), () => 1, Symbol('x')]) {
      expect(() => canonical(value as unknown as Json)).toThrow('not plain JSON')
    }
  })
})

it('what we wrote ourselves reads back as it was', () => {
  expect(parseTrusted('{"a":[1,"x",null]}')).toEqual({ a: [1, 'x', null] })
  expect(() => parseTrusted('{')).toThrow(SyntaxError)
})
