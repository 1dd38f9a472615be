import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createScanner } from '../../../src/delivery/proxy/scan.ts'

/** Everything that got through, and whether it was stopped. */
function through(secret: string, chunks: readonly Uint8Array[]) {
  const scanner = createScanner([secret])
  const passed: Uint8Array[] = []
  for (const chunk of chunks) {
    const safe = scanner.push(chunk)
    if (safe === null) return { text: Buffer.concat(passed).toString('latin1'), isStopped: true }
    passed.push(Buffer.from(safe))
  }
  passed.push(scanner.rest())
  return { text: Buffer.concat(passed).toString('latin1'), isStopped: false }
}

function cut(octets: Buffer, at: readonly number[]): Buffer[] {
  const places = [...new Set(at.map((place) => place % (octets.length + 1)))].sort((a, b) => a - b)
  return [0, ...places].map((from, n) => octets.subarray(from, places[n] ?? octets.length))
}

/** What an echo may make of octets; each with what of it only the secret makes. */
const SPELLINGS: Readonly<
  Record<string, (secret: string, before: string, after: string) => string>
> = {
  raw: (secret, before, after) => before + secret + after,
  'in capitals': (secret, before, after) => before + secret.toUpperCase() + after,
  base64: (s, before, after) => Buffer.from(before + s + after).toString('base64'),
  base64url: (s, before, after) => Buffer.from(before + s + after).toString('base64url'),
  'base64 in an address': (s, before, after) =>
    encodeURIComponent(Buffer.from(before + s + after).toString('base64')),
  hex: (s, before, after) => Buffer.from(before + s + after).toString('hex'),
  'an address': (s, before, after) => encodeURIComponent(before + s + after),
  'a form': (s) => new URLSearchParams({ s }).toString(),
  'every octet of an address': (s) => Buffer.from(s).toString('hex').replace(/../g, '%$&'),
  JSON: (s, before, after) => JSON.stringify(before + s + after),
  'JSON with its slashes escaped': (s) => JSON.stringify(s).replaceAll('/', '\\/'),
  'JSON in ASCII': (s) =>
    s.replace(/./g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'sixteen bits a letter': (s) => Buffer.from(s, 'utf16le').toString('latin1'),
  'sixteen bits a letter, the other way round': (s) =>
    Buffer.from(s, 'utf16le').swap16().toString('latin1'),
  markup: (s) =>
    s
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;'),
}

const secrets = fc.string({ minLength: 12, maxLength: 60 })
const around = fc.string({ maxLength: 30 })
const places = fc.array(fc.nat(400), { maxLength: 30 })

describe('a secret that streams by', () => {
  it.each(Object.keys(SPELLINGS))(
    'is found in the form of %s, at whatever place, in whatever pieces, and nothing of it got through',
    (name) => {
      const spell = SPELLINGS[name] ?? String
      fc.assert(
        fc.property(secrets, around, around, places, (secret, before, after, at) => {
          const octets = Buffer.from(spell(secret, before, after))
          const { text, isStopped } = through(secret, cut(octets, at))
          expect(isStopped).toBe(true)
          const whole = octets.toString('latin1')
          expect(whole.startsWith(text)).toBe(true)
          if (name === 'raw') expect(text.length).toBeLessThanOrEqual(whole.indexOf(secret))
        }),
        { numRuns: 60 },
      )
    },
  )

  it('lets everything else through as it came, in whatever pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), places, (octets, at) => {
        const secret = randomBytes(20).toString('base64')
        const { text, isStopped } = through(secret, cut(Buffer.from(octets), at))
        expect([text, isStopped]).toEqual([Buffer.from(octets).toString('latin1'), false])
      }),
      { numRuns: 100 },
    )
  })

  it('holds back no more than could be its beginning', () => {
    const scanner = createScanner(['correct-horse-battery'])
    expect(Buffer.from(scanner.push(Buffer.from('say correct')) ?? []).toString()).toBe('say ')
    expect(Buffer.from(scanner.push(Buffer.from('!!')) ?? []).toString()).toBe('correct!!')
    expect(scanner.push(Buffer.from(' correct-horse-batter'))).toHaveLength(1)
    expect(scanner.push(Buffer.from('y'))).toBeNull()
  })

  it('is found in a header by itself, and forgotten only with everything held back', () => {
    const scanner = createScanner(['correct-horse-battery'])
    expect(scanner.sees('Bearer correct-horse-battery')).toBe(true)
    expect(scanner.sees('Bearer correct-horse')).toBe(false)
    scanner.wipe()
    expect(scanner.sees('anything')).toBe(true)
    expect(scanner.push(Buffer.from('anything'))).toBeNull()
  })

  it('is forgotten without a change to the octets that are still to go on', () => {
    const scanner = createScanner(['correct-horse-battery'])
    expect(Buffer.from(scanner.push(Buffer.from('say cor')) ?? []).toString()).toBe('say ')
    scanner.wipe()
    expect(Buffer.from(scanner.rest()).toString()).toBe('cor')
  })
})
