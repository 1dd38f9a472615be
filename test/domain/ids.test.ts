import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isId, newId } from '../../src/domain/ids.ts'

/** The 128 bits of an id, read by another route than the one that wrote them. */
function bitsOf(id: string): bigint {
  const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'
  return [...id.slice(4)].reduce((bits, digit) => bits * 32n + BigInt(alphabet.indexOf(digit)), 0n)
}

describe('ids', () => {
  it('are the UUIDv7 of RFC 9562 appendix A.6 in base32', () => {
    const random = Buffer.from('0cc318c4dc0c0c07398f', 'hex')
    const id = newId('agt', new Date(0x017f22e279b0), random)
    expect(bitsOf(id).toString(16).padStart(32, '0')).toBe('017f22e279b07cc398c4dc0c0c07398f')
    expect(id).toBe('agt_01fwhe4ydgfk1shh6w1g60eecf')
  })

  it('carry their time, their version and their variant, and sort by time', () => {
    const when = fc.date({ min: new Date(0), max: new Date(2 ** 47), noInvalidDate: true })
    fc.assert(
      fc.property(when, when, (one, other) => {
        const id = newId('evt', one)
        expect(isId('evt', id)).toBe(true)
        expect(bitsOf(id) >> 80n).toBe(BigInt(one.getTime()))
        expect((bitsOf(id) >> 76n) & 15n).toBe(7n)
        expect((bitsOf(id) >> 62n) & 3n).toBe(2n)
        if (one.getTime() < other.getTime()) expect(id < newId('evt', other)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('do not repeat within a millisecond', () => {
    const now = new Date(1_795_284_900_000)
    expect(new Set(Array.from({ length: 1000 }, () => newId('dec', now))).size).toBe(1000)
  })

  it('have one spelling', () => {
    const id = 'agt_01m7w77j53e33ayzszh9mx7z7m'
    expect(isId('agt', id)).toBe(true)
    const others = [
      id.toUpperCase(),
      id.replace('7m', '7M'),
      id.replace('agt', 'con'),
      id.replace('agt_', 'agt'),
      `agt_8${id.slice(5)}`,
      id.slice(0, -1),
      `${id}0`,
      `${id}\n`,
      ` ${id}`,
      ...[...'ilou-_'].map((alias) => id.slice(0, -1) + alias),
    ]
    expect(others.filter((other) => isId('agt', other))).toEqual([])
  })
})
