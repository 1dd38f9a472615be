import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonical,
  isObject,
  type Json,
  JsonError,
  type JsonErrorCode,
  type JsonObject,
  readJson,
} from '../../src/domain/json.ts'

const bytes = (text: string) => Buffer.from(text, 'utf8')
const nested = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
const members = (count: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${String(n)}`, n])))
const items = (count: number) => `{"a":[${Array.from({ length: count }, () => '1').join(',')}]}`

/** The code a text is refused with, after its valid twin was read. */
function refusal(text: string | Uint8Array): JsonErrorCode | 'read' {
  expect(readJson(bytes('{"amount":1}'))).toEqual({ amount: 1 })
  try {
    readJson(typeof text === 'string' ? bytes(text) : text)
    return 'read'
  } catch (error) {
    if (error instanceof JsonError) return error.code
    throw error
  }
}

describe('a number that is none', () => {
  const isNonFinite = (text: string) => {
    try {
      readJson(bytes(text))
    } catch (error) {
      return error instanceof JsonError && error.isNonFinite
    }
    return 'read'
  }

  it.each(['NaN', '-NaN', 'Infinity', '-Infinity', '+Infinity', '1e999', '-1e999'])(
    '%s is told',
    (it) => {
      expect(isNonFinite(`{"a":${it}}`)).toBe(true)
      expect(isNonFinite(`{"a":[1,${it}]}`)).toBe(true)
    },
  )

  it.each(['9007199254740993', '-0', 'x', 'nan', '', 'Inf'])('%j is another fault', (it) => {
    expect(isNonFinite(`{"a":${it}}`)).toBe(false)
    expect(isNonFinite('{"a":1}')).toBe('read')
  })
})

describe('the strict reader', () => {
  it.each<[JsonErrorCode, string, string | Uint8Array]>([
    ['malformed_request', 'nothing', ''],
    ['malformed_request', 'white space only', ' \n'],
    ['malformed_request', 'a value that is not an object', '[1]'],
    ['malformed_request', 'a bare string', '"x"'],
    ['malformed_request', 'two values', '{}{}'],
    ['malformed_request', 'trailing data', '{"a":1} x'],
    ['malformed_request', 'an object that does not end', '{"a":1'],
    ['malformed_request', 'a closing bracket of the other kind', '{"a":1]'],
    ['malformed_request', 'an array closed as an object', '{"a":[1}}'],
    ['malformed_request', 'a trailing comma in an object', '{"a":1,}'],
    ['malformed_request', 'a trailing comma in an array', '{"a":[1,]}'],
    ['malformed_request', 'a missing comma', '{"a":1 "b":2}'],
    ['malformed_request', 'a missing colon', '{"a" 1}'],
    ['malformed_request', 'a missing value', '{"a":}'],
    ['malformed_request', 'a missing name', '{:1}'],
    ['malformed_request', 'an unquoted name', '{a:1}'],
    ['malformed_request', 'single quotes', "{'a':1}"],
    ['malformed_request', 'a comment', '{"a":1 /* no */}'],
    ['malformed_request', 'NaN', '{"a":NaN}'],
    ['malformed_request', 'Infinity', '{"a":-Infinity}'],
    ['malformed_request', 'a literal in capitals', '{"a":True}'],
    ['malformed_request', 'a literal that goes on', '{"a":nullx}'],
    ['malformed_request', 'leading zeros', '{"a":01}'],
    ['malformed_request', 'a plus sign', '{"a":+1}'],
    ['malformed_request', 'a bare point', '{"a":1.}'],
    ['malformed_request', 'hexadecimal', '{"a":0x10}'],
    ['malformed_request', 'a line break in a string', '{"a":"x\ny"}'],
    ['malformed_request', 'an escape that does not exist', '{"a":"\\x41"}'],
    ['malformed_request', 'an escape cut short', '{"a":"\\u00"}'],
    ['malformed_request', 'a string that does not end', '{"a":"\\"}'],
    ['malformed_request', 'a no-break space between tokens', '{\u00a0"a":1}'],
    ['malformed_request', 'the name __proto__ [ARG-03]', '{"__proto__":{"x":1}}'],
    ['malformed_request', 'that name escaped', '{"\\u005f_proto__":{"x":1}}'],
    ['malformed_request', 'that name inside', '{"a":[{"__proto__":1}]}'],
    ['duplicate_key', 'a repeated name [ARG-01]', '{"amount":1,"amount":1000}'],
    [
      'duplicate_key',
      'a name repeated with an escape [ARG-02]',
      '{"amount":1,"\\u0061mount":1000}',
    ],
    ['duplicate_key', 'a name repeated inside', '{"a":[{"b":{"c":1,"d":2,"c":3}}]}'],
    ['bad_encoding', 'an invalid octet [ARG-08]', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])],
    ['bad_encoding', 'an overlong form', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x7d])],
    ['bad_encoding', 'a surrogate in UTF-8', Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['bad_encoding', 'a byte-order mark [ARG-08]', '\uFEFF{"a":1}'],
    ['bad_encoding', 'UTF-16', Buffer.from('{"a":1}', 'utf16le')],
    ['bad_encoding', 'a lone surrogate in a string', '{"a":"\\ud800"}'],
    ['bad_encoding', 'a lone low surrogate in a name', '{"\\udc00":1}'],
    ['bad_encoding', 'surrogates in the wrong order', '{"a":"\\udc00\\ud800"}'],
    ['bad_encoding', 'an escaped U+0000', '{"a":"x\\u0000y"}'],
    ['bad_encoding', 'a plain U+0000', '{"a":"x\0y"}'],
    ['unsafe_number', 'an integer that rounds [ARG-04]', '{"a":9007199254740993}'],
    ['unsafe_number', 'the first unsafe integer', '{"a":9007199254740992}'],
    ['unsafe_number', 'its negative', '{"a":-9007199254740992}'],
    ['unsafe_number', 'an unsafe integer with an exponent', '{"a":1e22}'],
    ['unsafe_number', 'an overflow [ARG-04]', '{"a":1e400}'],
    ['unsafe_number', 'an underflow', '{"a":1e-400}'],
    ['unsafe_number', 'a decimal that rounds', '{"a":100.0000000000000001}'],
    ['unsafe_number', 'digits that are dropped', '{"a":0.1000000000000000055511151231257827}'],
    ['unsafe_number', 'negative zero', '{"a":-0}'],
    ['unsafe_number', 'negative zero, longer', '{"a":-0.0e5}'],
    ['too_complex', 'depth 33 [ARG-12]', nested(33)],
    ['too_complex', '1,001 members [ARG-12]', members(1001)],
    ['too_complex', '10,001 items', items(10_001)],
    ['too_complex', 'a string of 65,537 octets', `{"a":"${'x'.repeat(65_537)}"}`],
    ['too_complex', 'the same octets in fewer characters', `{"a":"${'é'.repeat(32_769)}"}`],
    ['too_complex', 'a name of 65,537 octets', `{"${'x'.repeat(65_537)}":1}`],
    ['too_complex', 'arrays a million deep', `{"a":${'['.repeat(1_000_000)}`],
  ])('refuses as %s %s', (code, _what, text) => {
    expect(refusal(text)).toBe(code)
  })

  it.each<[string, string, JsonObject]>([
    ['white space', ' {\t"a" :\r\n[ ] } ', { a: [] }],
    ['an empty object', '{}', {}],
    ['the same name in two objects', '{"a":{"b":1},"c":{"b":2}}', { a: { b: 1 }, c: { b: 2 } }],
    [
      'numbers written longer than need be',
      '{"a":[1.0,1e2,100.10,0.0,1E-7]}',
      { a: [1, 100, 100.1, 0, 1e-7] },
    ],
    [
      'the largest safe integers',
      '{"a":[9007199254740991,-9007199254740991]}',
      { a: [9007199254740991, -9007199254740991] },
    ],
    ['the smallest number', '{"a":5e-324}', { a: 5e-324 }],
    ['escapes and pairs', '{"a":"\\ud83d\\ude00\\n\\/"}', { a: '😀\n/' }],
    [
      'constructor as a name [ARG-03]',
      '{"constructor":{"prototype":{"x":1}}}',
      { constructor: { prototype: { x: 1 } } },
    ],
    ['text as it is, not normalised [ARG-05]', '{"a":"e\u0301"}', { a: 'e\u0301' }],
  ])('reads %s', (_what, text, value) => {
    expect(readJson(bytes(text))).toEqual(value)
    expect(({} as { x?: number }).x).toBeUndefined()
  })

  it('reads what is exactly at every limit', () => {
    expect(refusal(nested(32))).toBe('read')
    expect(refusal(members(1000))).toBe('read')
    expect(refusal(items(10_000))).toBe('read')
    expect(refusal(`{"a":"${'x'.repeat(65_536)}"}`)).toBe('read')
  })

  it('says where it stopped, and never what was there', () => {
    expect(() => readJson(bytes('{"a":"hunter2","hunter2":1,"hunter2":2}'))).toThrow(
      /^(?!.*hunter2).*character 36/,
    )
  })

  it('agrees with JSON.parse about every text that it reads', () => {
    const noise = fc.array(fc.constantFrom(...'{}[]:,"\\\u0061-+.eE019tfn ', 'true', '"a"', '"b":'))
    fc.assert(
      fc.property(noise, (pieces) => {
        const text = `{${pieces.join('')}}`
        let value: unknown
        try {
          value = readJson(bytes(text))
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError)
          return
        }
        expect(value).toEqual(JSON.parse(text))
      }),
      { numRuns: 2000 },
    )
  })
})

/** JSON as strangers may send it and the reader lets through. */
const anyJson = fc
  .dictionary(
    fc.string({ unit: 'grapheme', maxLength: 8 }),
    fc.jsonValue({ noUnicodeString: false, maxDepth: 4 }),
  )
  .map((value) => JSON.parse(JSON.stringify(value)) as JsonObject)

describe('the canonical form', () => {
  it('is the one of RFC 8785 §3.2.3 and appendix B', () => {
    const literal = {
      numbers: [333333333.33333329, 1e30, 4.5, 2e-3, 1e-27],
      literals: [null, true, false],
    }
    expect(canonical(literal)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27]}',
    )
    const sorted = {
      '\u20ac': 1,
      '\r': 2,
      '\ufb33': 3,
      '1': 4,
      '\ud83d\ude00': 5,
      '\u0080': 6,
      '\u00f6': 7,
    }
    expect(canonical(sorted)).toBe('{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}')
    expect(canonical('€$\u000f\nA\'B"\\\\"/')).toBe('"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"')
  })

  it('is that of an independent implementation, for any JSON', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        expect(canonical(value)).toBe(canonicalize(value))
      }),
      { numRuns: 500 },
    )
  })

  it('reads back as the value it was made from, and has one form [ARG-21]', () => {
    const readable = anyJson.filter((value) => !/"__|\\u0000/.test(JSON.stringify(value)))
    fc.assert(
      fc.property(readable, (value) => {
        const form = canonical(value)
        let again: JsonObject
        try {
          again = readJson(bytes(form))
        } catch (error) {
          // An integer beyond 2^53 has a canonical form, but no caller may send it.
          expect((error as JsonError).code).toBe('unsafe_number')
          return
        }
        expect(canonical(again)).toBe(form)
      }),
      { numRuns: 500 },
    )
  })

  it.each<[string, unknown]>([
    ['NaN', Number.NaN],
    ['Infinity', { a: [Number.POSITIVE_INFINITY] }],
    ['undefined', { a: undefined }],
    ['a hole in an array', new Array<Json>(1)],
    ['a lone surrogate', '\ud800'],
    ['a lone surrogate in a name', { '\udc00': 1 }],
    ['a Date', { at: new Date(0) }],
    ['a bigint', 1n],
    ['octets', new Uint8Array(1)],
  ])('does not exist for %s', (_what, value) => {
    expect(() => canonical(value as Json)).toThrow(TypeError)
  })

  it('tells objects from the rest', () => {
    expect([{}, [], null, 'x', undefined].map((value) => isObject(value as Json))).toEqual([
      true,
      false,
      false,
      false,
      false,
    ])
  })
})
