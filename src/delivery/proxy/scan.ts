/** Looks for secrets in what streams by, in every usual spelling, and lets nothing of a hit go on. */
import { escaped } from '../../domain/http-path.ts'

export interface Scanner {
  /** What of it may go on now; `null`: the secret is in it. */
  push(chunk: Uint8Array): Uint8Array | null
  /** What was held back until the end. */
  rest(): Uint8Array
  /** Whether it is in this text, by itself. */
  sees(text: string): boolean
  /** Forgets what it looks for: from then on it lets nothing go on but what was held back, as it came. */
  wipe(): void
}

/** Spelled shorter than this, a part of a secret would be found by chance. */
const PATTERN_MIN = 6

/**
 * What could be the beginning of a secret is held back, so that none of it has gone on when the rest
 * comes. Letters are compared without their case.
 */
export function createScanner(secrets: readonly string[]): Scanner {
  const spelled = new Set(secrets.flatMap(spellingsOf).filter((it) => it.length >= PATTERN_MIN))
  const patterns = [...spelled].map((text) => folded(Buffer.from(text, 'latin1')))
  let held = Buffer.alloc(0)
  let isWiped = false
  return {
    push(chunk) {
      if (isWiped) return null
      const data = Buffer.concat([held, chunk])
      const plain = folded(data)
      if (patterns.some((pattern) => plain.includes(pattern))) return null
      const kept = Math.max(0, ...patterns.map((pattern) => begunAtEnd(plain, pattern)))
      held = Buffer.from(data.subarray(data.length - kept))
      return data.subarray(0, data.length - kept)
    },
    rest() {
      const last = held
      held = Buffer.alloc(0)
      return last
    },
    sees(text) {
      if (isWiped) return true
      const plain = folded(Buffer.from(text, 'latin1'))
      return patterns.some((pattern) => plain.includes(pattern))
    },
    wipe() {
      isWiped = true
      for (const pattern of patterns) pattern.fill(0)
    },
  }
}

/** In lower case, octet for octet. */
const folded = (octets: Buffer) => Buffer.from(octets.toString('latin1').toLowerCase(), 'latin1')

/** How many of the last octets are how the pattern begins. */
function begunAtEnd(data: Buffer, pattern: Buffer): number {
  const [first = 0] = pattern
  let at = data.indexOf(first, Math.max(0, data.length - pattern.length + 1))
  while (at >= 0) {
    const length = data.length - at
    if (data.compare(pattern, 0, length, at) === 0) return length
    at = data.indexOf(first, at + 1)
  }
  return 0
}

/** As octets, one character each. */
function spellingsOf(secret: string): string[] {
  const octets = Buffer.from(secret)
  const base64 = [0, 1, 2].flatMap((shift) => base64Of(octets, shift))
  const hex = octets.toString('hex')
  const inJson = JSON.stringify(secret).slice(1, -1)
  const units = Array.from(secret, (_, at) => secret.charCodeAt(at).toString(16).padStart(4, '0'))
  const texts = [
    ...[secret, inJson, inJson.replaceAll('/', '\\/'), units.map((it) => `\\u${it}`).join('')],
    ...[encodeURIComponent(secret), escaped(secret), inForm(secret)],
    ...[hex, hex.replace(/../g, '%$&'), hex.replace(/../g, '\\x$&')],
    ...[inMarkup(secret, '&#39;'), inMarkup(secret, '&#x27;'), inMarkup(secret, '&apos;')],
    ...base64.flatMap((it) => [it, encodeURIComponent(it), it.replaceAll('/', '\\/')]),
  ]
  // Without its last octet, it is found in either order of octets.
  const inUtf16 = Buffer.from(secret, 'utf16le').subarray(0, -1).toString('latin1')
  return [...texts.map((text) => Buffer.from(text).toString('latin1')), inUtf16]
}

/** As a form has it: a space is a plus, and other marks stand for themselves. */
const inForm = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)

const MARKUP: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' },
}
const inMarkup = (text: string, quote: string) =>
  text.replace(/[&<>"']/g, (mark) => MARKUP[mark] ?? quote)

/**
 * With so many octets before it in a group of three: what of the text follows from these octets
 * alone, in both alphabets.
 */
function base64Of(octets: Buffer, shift: number): string[] {
  const all = Buffer.concat([Buffer.alloc(shift), octets])
    .toString('base64')
    .replace(/={1,2}$/, '')
  const isShared = (shift + octets.length) % 3 !== 0
  const text = all.slice(shift === 0 ? 0 : shift + 1, isShared ? -1 : undefined)
  return [text, text.replaceAll('+', '-').replaceAll('/', '_')]
}
