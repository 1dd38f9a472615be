import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { isCanonical } from '../../src/ledger/verify-entry.ts'

/** Names that JSON, an object or a sort treats in a way of its own. */
const name = fc.oneof(
  fc.constantFrom('10', '9', '__proto__', 'a', 'A', '', '"', '\\ud800', 'ä', '\u{1F600}', '\uFB33'),
  fc.string({ maxLength: 3 }),
)
const number = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(1.5, -0, 1e21, 2 ** 53))
const text = fc.oneof(name, fc.constantFrom('\ud800', '\udc00a', '\u{1F600}', '\\ud83d', '\n'))
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    ...[fc.constantFrom(null, true, false), number, text],
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: false }),
  ),
}))

/** What a record may hold: integers that JSON keeps, and text that is UTF-8. */
function isOfRecords(made: unknown): boolean {
  if (typeof made === 'number') return Number.isSafeInteger(made)
  if (typeof made === 'string') return !/\p{Surrogate}/u.test(made)
  if (typeof made !== 'object' || made === null) return true
  return Object.entries(made).every(([at, member]) => isOfRecords(at) && isOfRecords(member))
}

it('a text is canonical where another implementation of RFC 8785 writes it so, and nowhere else', () => {
  const seen = { yes: 0, no: 0 }
  fc.assert(
    fc.property(value, fc.nat(), (made, cut) => {
      const asWritten = JSON.stringify(made)
      const record: unknown = JSON.parse(asWritten)
      const expected = isOfRecords(record) ? canonicalize(record) : null
      const texts = [asWritten, ...(expected == null ? [] : [expected, spoilt(expected, cut)])]
      for (const spelt of texts) {
        const isSo = isCanonical(record, spelt)
        expect(isSo, spelt).toBe(spelt === expected)
        seen[isSo ? 'yes' : 'no'] += 1
      }
    }),
    { numRuns: 3000 },
  )
  expect(isCanonical(undefined, '!'), 'what is no JSON').toBe(false)
  expect(Math.min(seen.yes, seen.no)).toBeGreaterThan(500)
})

/** The same value, as far as JSON goes, with a space somewhere; or no JSON, or another value. */
const spoilt = (spelt: string, cut: number) =>
  `${spelt.slice(0, cut % spelt.length)} ${spelt.slice(cut % spelt.length)}`
