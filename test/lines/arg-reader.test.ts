import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonError, readJson } from '../../src/domain/json.ts'
import { PROPERTIES } from './arg-properties.ts'

const RUNS = 1500

describe('of any JSON', () => {
  it.each(PROPERTIES)('[ARG-21] %s', (_title, property) => {
    fc.assert(property, { numRuns: RUNS })
  })
})

/** The longest body there may be. */
const BYTES = 262_144
const filled = (head: string, piece: string, tail: string) =>
  head + piece.repeat(Math.floor((BYTES - head.length - tail.length) / piece.length)) + tail

describe('[ARG-12] the longest body', () => {
  // Each of these once took, or could take, the square of its length.
  it.each<[string, string, string]>([
    ['a decimal with zeros in its middle', filled('{"a":0.1', '0', '1}'), 'unsafe_number'],
    ['a decimal with zeros before it', filled('{"a":0.', '0', '1}'), 'unsafe_number'],
    ['a whole number of zeros', filled('{"a":1', '0', '}'), 'unsafe_number'],
    ['an exponent of nines', filled('{"a":1e', '9', '}'), 'unsafe_number'],
    ['an exponent of nines, below zero', filled('{"a":1e-', '9', '}'), 'unsafe_number'],
    ['zeros that say nothing', filled('{"a":0.1', '0', '}'), 'read'],
    ['minus signs', filled('{"a":', '-', '}'), 'malformed_request'],
    ['white space', filled('{"a"', ' \n', ':1}'), 'read'],
    ['white space and no end', filled('{"a"', ' ', ''), 'malformed_request'],
    ['a string of escapes', filled('{"a":"', '\\u00e9', '"}'), 'too_complex'],
    ['a string of backslashes', filled('{"a":"', '\\\\', '"}'), 'too_complex'],
    ['a string of quotes', filled('{"a":"', '\\"', '"}'), 'too_complex'],
    ['quotes and nothing else', filled('{', '"', '}'), 'malformed_request'],
    ['arrays inside one another', filled('{"a":', '[', '}'), 'too_complex'],
    ['objects inside one another', filled('', '{"a":', ''), 'too_complex'],
    ['one name, again and again', filled('{', '"a":1,', '"a":1}'), 'duplicate_key'],
    ['items', filled('{"a":[', '1,', '1]}'), 'too_complex'],
    [
      'decimals, as many as there may be',
      filled('{"a":[1', ',0.10000000000001', ']}'),
      'too_complex',
    ],
  ])('is read or refused at once: %s', (_what, text, outcome) => {
    const bytes = Buffer.from(text)
    const times = [1, 2, 3].map(() => {
      const start = performance.now()
      expect(outcomeOf(bytes)).toBe(outcome)
      return performance.now() - start
    })
    expect(Math.min(...times)).toBeLessThan(50) // 10 ms where nothing else runs
  })
})

function outcomeOf(bytes: Uint8Array): string {
  try {
    readJson(bytes)
    return 'read'
  } catch (error) {
    return error instanceof JsonError ? error.code : 'another error'
  }
}
