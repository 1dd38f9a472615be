/** What must hold of every JSON there is, as properties: a few thousand cases in the suite, more by `npm run fuzz`. */
import { isDeepStrictEqual } from 'node:util'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { digestOf } from '../../src/domain/digest.ts'
import {
  canonical,
  type Json,
  JsonError,
  type JsonObject,
  readJson,
} from '../../src/domain/json.ts'

const read = (text: string) => readJson(Buffer.from(text))

/** Names that mean something to somebody, and any others that may be sent. */
const name = fc
  .oneof(
    fc.constantFrom(
      'constructor',
      'toString',
      'prototype',
      'length',
      '',
      'a',
      'é',
      'e\u0301',
      '10',
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
  )
  .filter((text) => !text.startsWith('__') && isSendable(text))
const text = fc.string({ unit: 'binary', maxLength: 12 }).filter(isSendable)
const number = fc
  .oneof(fc.integer(), fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true }))
  .filter((n) => !Object.is(n, -0) && (!Number.isInteger(n) || Number.isSafeInteger(n)))

const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Json>(null, true, false, 0, '', '5', 5),
    number,
    text,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }) as fc.Arbitrary<Json>,
  ),
}))
/** Any object that a caller may send. */
const sendable = fc.dictionary(name, value, {
  maxKeys: 5,
  noNullPrototype: true,
}) as fc.Arbitrary<JsonObject>

function isSendable(said: string): boolean {
  return !said.includes('\0') && !/\p{Surrogate}/u.test(said)
}

/** The same value as somebody else might write it: other order, white space, escapes and decimals. */
function respelled(of: Json, dice: () => number): string {
  const space = [' ', '\n', '\t', '\r ', '', '', '', ''][dice() % 8] ?? ''
  if (typeof of === 'string') return spelledText(of, dice)
  if (typeof of === 'number') return space + spelledNumber(of, dice) + space
  if (of === null || typeof of === 'boolean') return space + String(of) + space
  if (Array.isArray(of)) return `${space}[${of.map((it) => respelled(it, dice)).join(',')}${space}]`
  const members = Object.entries(of)
    .map(([key, it]) => `${spelledText(key, dice)}${space}:${respelled(it, dice)}`)
    .map((member) => ({ member, at: dice() }))
    .sort((one, other) => one.at - other.at)
  return `${space}{${members.map(({ member }) => member).join(`,${space}`)}}${space}`
}

function spelledText(of: string, dice: () => number): string {
  const units = Array.from({ length: of.length }, (_, at) => of.charCodeAt(at))
  const isEscaped = dice() % 3 === 0
  const escaped = units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
  return isEscaped ? `"${escaped}"` : JSON.stringify(of)
}

function spelledNumber(of: number, dice: () => number): string {
  const plain = String(of)
  if (/[e.]/.test(plain) || of === 0) return plain
  return [plain, `${plain}.0`, `${plain}e0`, `${plain}.00E+0`, `${plain}0e-1`][dice() % 5] ?? plain
}

/** A stream of numbers from one, so that a case can be made again from its seed. */
function diceFrom(seed: number): () => number {
  let state = seed
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 8
}

/** One thing about it is another. */
function changed(of: JsonObject, at: number, to: Json): JsonObject {
  const names = Object.keys(of)
  const key = names[at % Math.max(names.length, 1)] ?? 'new'
  return { ...of, [key]: to }
}

const noise = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...'{}[]:,"\\\u0061-+.eE019tfn \n\u2028') },
    fc.constantFrom(
      'true',
      'null',
      '"a":',
      '"b":',
      '1',
      '[1]',
      '{"a":2}',
      '\\u0061',
      '"__proto__":',
    ),
  ),
  { maxLength: 16 },
)

/** Why a text that JSON.parse reads may still be refused: each is looked for by other means. */
function isRefusable(said: string, parsed: Json): boolean {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return true
  const isSpelledOnce = [...said.matchAll(/"(?:a|b|__proto__|\\u0061)"\s*:/g)].length < 2
  return (
    !isSpelledOnce || said.includes('__') || /[\d.eE-]{3,}|-0/.test(said) || said.includes('\0')
  )
}

export const PROPERTIES: readonly [title: string, fc.IProperty<never>][] = [
  [
    'reading the canonical form gives the value again, and it is the form of RFC 8785',
    fc.property(sendable, (v) => {
      const form = canonical(v)
      return form === canonicalize(v) && isDeepStrictEqual(read(form), v) && canonical(v) === form
    }),
  ],
  [
    'two values have one hash if and only if they are equal, and then they have one canonical form',
    fc.property(sendable, fc.nat(), value, fc.boolean(), (v, at, to, isSame) => {
      const w = isSame ? read(respelled(v, diceFrom(at))) : changed(v, at, to)
      const isEqual = isDeepStrictEqual(v, w)
      const hasOneForm = canonicalize(v) === canonicalize(w)
      return (digestOf(v) === digestOf(w)) === isEqual && hasOneForm === isEqual
    }),
  ],
  [
    'every spelling of a value is read as that value',
    fc.property(sendable, fc.nat(), (v, seed) => {
      const spelled = respelled(v, diceFrom(seed))
      return isDeepStrictEqual(read(spelled), v) && isDeepStrictEqual(JSON.parse(spelled), v)
    }),
  ],
  [
    'a name that is there twice in one object, however it is spelled, is refused; nowhere else',
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 4 }), fc.nat(), (members, seed) => {
      const dice = diceFrom(seed)
      const names = new Set(members.map(([key]) => key))
      const twin = members[0] && dice() % 2 === 0 ? [members[0]] : []
      const spelled = [...members, ...twin].map(
        ([key, of]) => `${spelledText(key, dice)}:${respelled(of, dice)}`,
      )
      const isTwice = names.size < members.length + twin.length
      return (codeOf(`{"x":[1,{${spelled.join(',')}}]}`) === 'duplicate_key') === isTwice
    }),
  ],
  [
    'what is read is what JSON.parse reads, and what only JSON.parse reads is refused for a reason',
    fc.property(noise, (pieces) => agrees(`{${pieces.join('')}}`) && agrees(pieces.join(''))),
  ],
] as unknown as readonly [string, fc.IProperty<never>][]

function codeOf(said: string): string | null {
  try {
    read(said)
    return null
  } catch (error) {
    if (error instanceof JsonError) return error.code
    throw error
  }
}

function agrees(said: string): boolean {
  let parsed: Json | undefined
  try {
    parsed = JSON.parse(said) as Json
  } catch {
    parsed = undefined
  }
  try {
    return isDeepStrictEqual(read(said), parsed) && colonsIn(said) === membersIn(parsed)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    return parsed === undefined || isRefusable(said, parsed)
  }
}

/** A member that JSON.parse dropped for a later one of its name has left its colon. */
const colonsIn = (said: string) => said.replace(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1

function membersIn(of: Json | undefined): number {
  if (typeof of !== 'object' || of === null) return 0
  const below = Object.values(of).reduce<number>((sum, it) => sum + membersIn(it), 0)
  return Array.isArray(of) ? below : below + Object.keys(of).length
}
