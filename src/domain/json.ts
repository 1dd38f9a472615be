/** JSON: the one strict reader for what callers send, and the RFC 8785 form that everything is hashed over. */

export type Json = null | boolean | number | string | Json[] | JsonObject
/** Not an interface: a type with known members must be one of these without a cast. */
export type JsonObject = { [name: string]: Json }

/** The codes of wire.md's reading table, as the caller sees them. */
export type JsonErrorCode =
  'malformed_request' | 'duplicate_key' | 'bad_encoding' | 'unsafe_number' | 'too_complex'

/** Says where reading stopped and why; never what was there. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
  readonly code: JsonErrorCode
  /** What stopped it is written as a number, and is infinite or none: `NaN`, `1e999`. */
  readonly isNonFinite: boolean

  constructor(code: JsonErrorCode, message: string, isNonFinite = false) {
    super(message)
    this.code = code
    this.isNonFinite = isNonFinite
  }
}

export interface JsonLimits {
  /** Objects and arrays inside one another; the outermost counts. */
  readonly depth: number
  /** Members of all objects together, and items of all arrays together. */
  readonly members: number
  readonly items: number
  /** UTF-8 bytes of one name or string, unescaped. */
  readonly stringBytes: number
}

export const JSON_LIMITS: JsonLimits = {
  depth: 32,
  members: 1000,
  items: 10_000,
  stringBytes: 65_536,
}

/**
 * Reads one JSON object that a stranger wrote. What two readers could understand differently is
 * refused before anything is built from it: repeated names, rounded numbers, broken Unicode.
 * The scan is iterative and stops at the first breach of a limit. Throws `JsonError`.
 */
export function readJson(bytes: Uint8Array, limits: Partial<JsonLimits> = {}): JsonObject {
  const text = decoded(bytes)
  scan(text, { ...JSON_LIMITS, ...limits })
  return JSON.parse(text) as JsonObject
}

/** JSON that we wrote, to our database or our files, or of which few members are used. Throws `SyntaxError`. */
export function parseTrusted(text: string): Json {
  return JSON.parse(text) as Json
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The RFC 8785 form: equal values, and only they, have equal text. Throws `TypeError` for what is
 * not JSON (NaN, `undefined`, lone surrogates, anything that is not a plain object).
 */
export function canonical(value: Json): string {
  if (typeof value === 'string') return canonicalString(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('a number has no JSON form')
    return JSON.stringify(value)
  }
  if (value === null || typeof value === 'boolean') return String(value)
  if (Array.isArray(value)) return `[${Array.from(value, canonical).join(',')}]`
  return canonicalObject(value)
}

function canonicalObject(value: unknown): string {
  if (!isPlain(value)) throw new TypeError('a value is not plain JSON')
  // RFC 8785 §3.2.3 sorts by UTF-16 code units, which is how `sort` compares strings.
  let members = ''
  for (const name of Object.keys(value).sort()) {
    if (members !== '') members += ','
    members += `${canonicalString(name)}:${canonical(value[name] as Json)}`
  }
  return `{${members}}`
}

function canonicalString(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`
  if (LONE_SURROGATE.test(text)) throw new TypeError('a string is not well-formed Unicode')
  return JSON.stringify(text)
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function decoded(bytes: Uint8Array): string {
  let text: string
  try {
    text = utf8.decode(bytes)
  } catch {
    throw new JsonError('bad_encoding', 'The text is not UTF-8')
  }
  if (text.startsWith('\uFEFF'))
    throw new JsonError('bad_encoding', 'The text has a byte-order mark')
  if (text.includes('\0')) throw new JsonError('bad_encoding', 'The text has a U+0000')
  return text
}

/** How far a scan has come. `open` has the names seen in each open object, `null` for an array. */
interface Scan {
  readonly text: string
  readonly limits: JsonLimits
  readonly open: (Set<string> | null)[]
  at: number
  members: number
  items: number
}

type Next = 'value' | 'value or end' | 'name' | 'name or end' | 'comma or end'

function scan(text: string, limits: JsonLimits): void {
  const state: Scan = { text, limits, open: [], at: 0, members: 0, items: 0 }
  if (markAt(state) !== '{') throw malformed(state, 'the top level is not an object')
  let next: Next = 'value'
  do next = step(state, next, markAt(state))
  while (state.open.length > 0)
  if (markAt(state) !== '') throw malformed(state, 'something follows the object')
}

/** Reads one token and says what may follow it. */
function step(state: Scan, next: Next, mark: string): Next {
  const names = state.open.at(-1)
  if (next !== 'value' && next !== 'name' && mark === (names ? '}' : ']')) {
    state.at += 1
    state.open.pop()
    return 'comma or end'
  }
  if (next === 'comma or end') {
    if (mark !== ',') throw malformed(state, 'a comma is missing')
    state.at += 1
    return names ? 'name' : 'value'
  }
  if (names && (next === 'name' || next === 'name or end')) {
    scanName(state, names, mark)
    return 'value'
  }
  if (names === null && ++state.items > state.limits.items) throw complex('array items')
  return scanValue(state, mark)
}

function scanName(state: Scan, names: Set<string>, mark: string): void {
  if (mark !== '"') throw malformed(state, 'a member name is missing')
  if (++state.members > state.limits.members) throw complex('members')
  const name = scanString(state)
  // Names that engines give a meaning to. `constructor` is only data: nothing here looks it up.
  if (name.startsWith('__')) throw malformed(state, 'a member name begins with two underscores')
  if (names.has(name))
    throw new JsonError('duplicate_key', `A member name is repeated ${place(state)}`)
  names.add(name)
  if (markAt(state) !== ':') throw malformed(state, 'a colon is missing')
  state.at += 1
}

function scanValue(state: Scan, mark: string): Next {
  if (mark === '{' || mark === '[') {
    state.at += 1
    state.open.push(mark === '{' ? new Set() : null)
    if (state.open.length > state.limits.depth) throw complex('levels')
    return mark === '{' ? 'name or end' : 'value or end'
  }
  if (mark === '"') scanString(state)
  else if (!take(state, LITERAL)) scanNumber(state)
  return 'comma or end'
}

/** Reads a string and gives it unescaped: what is compared and limited is what it means. */
function scanString(state: Scan): string {
  const start = state.at
  const end = endOfString(state)
  const raw = state.text.slice(start, end)
  let value = raw.slice(1, -1)
  if (value.includes('\\')) {
    try {
      value = JSON.parse(raw) as string
    } catch {
      throw malformed(state, 'a string has an escape that does not exist')
    }
    if (value.includes('\0') || LONE_SURROGATE.test(value)) {
      throw new JsonError('bad_encoding', `A string is not well-formed Unicode ${place(state)}`)
    }
  }
  if (isLonger(value, state.limits.stringBytes)) throw complex('bytes in a string')
  state.at = end
  return value
}

/** No UTF-16 unit takes more than three bytes: most strings need not be measured. */
function isLonger(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes
}

function endOfString(state: Scan): number {
  const { text } = state
  for (let at = state.at + 1; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) return at + 1
    if (unit === BACKSLASH) at += 1
    else if (unit < SPACE) break
  }
  throw malformed(state, 'a string does not end')
}

function scanNumber(state: Scan): void {
  const written = take(state, NUMBER)
  if (!written) {
    const { code, message } = malformed(state, 'a value is missing')
    throw new JsonError(code, message, take(state, NON_FINITE) !== '')
  }
  const value = Number(written)
  const isUnsafeInteger = Number.isInteger(value) && !Number.isSafeInteger(value)
  if (
    !Number.isFinite(value) ||
    Object.is(value, -0) ||
    isUnsafeInteger ||
    !isExact(written, value)
  ) {
    const message = `A number would not survive being read ${place(state)}`
    throw new JsonError('unsafe_number', message, !Number.isFinite(value))
  }
}

/** Whether the decimal that was written is the decimal that RFC 8785 would write. */
function isExact(written: string, value: number): boolean {
  return written === String(value) || decimalOf(written) === decimalOf(String(value))
}

/** A decimal without the ways to write it: significant digits and the power of ten of the last one. */
function decimalOf(written: string): string {
  const [mantissa = '', exponent = '0'] = written.replace(/^-/, '').toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = whole + fraction
  let [start, end] = [0, digits.length]
  while (digits[start] === '0') start += 1
  // By hand: a pattern for zeros at the end takes the square of the zeros before it.
  while (end > start && digits[end - 1] === '0') end -= 1
  if (start === end) return '0'
  const power = Number(exponent) - fraction.length + digits.length - end
  return `${digits.slice(start, end)}e${String(power)}`
}

/** Skips white space; the character there, or '' at the end. */
function markAt(state: Scan): string {
  const { text } = state
  while (isSpace(text.charCodeAt(state.at))) state.at += 1
  return text.charAt(state.at)
}

/** RFC 8259 §2: these four, and no other. */
function isSpace(unit: number): boolean {
  return unit === SPACE || unit === TAB || unit === LINE_FEED || unit === CARRIAGE_RETURN
}

function take(state: Scan, pattern: RegExp): string {
  pattern.lastIndex = state.at
  const found = pattern.exec(state.text)?.[0] ?? ''
  state.at += found.length
  return found
}

function malformed(state: Pick<Scan, 'at'>, what: string): JsonError {
  return new JsonError('malformed_request', `Not JSON as we read it: ${what} ${place(state)}`)
}

function complex(what: string): JsonError {
  return new JsonError('too_complex', `Too many ${what}`)
}

function place({ at }: Pick<Scan, 'at'>): string {
  return `(character ${String(at)})`
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const LONE_SURROGATE = /\p{Surrogate}/u
/** What stands in JSON as it is. */
const PLAIN = /^[ !#-[\]-~]*$/
const LITERAL = /true|false|null/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const NON_FINITE = /[+-]?(?:NaN|Infinity)/y
const QUOTE = 0x22
const BACKSLASH = 0x5c
const SPACE = 0x20
const TAB = 0x09
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
