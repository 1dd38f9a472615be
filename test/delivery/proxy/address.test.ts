import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isNever,
  isPublic,
  isWithin,
  readAddress,
  readRange,
} from '../../../src/delivery/proxy/address.ts'

const read = (text: string) => {
  const octets = readAddress(text)
  if (octets === null) throw new Error(`no address: ${text}`)
  return octets
}

describe('an address', () => {
  it.each([
    ...([
      '127.1',
      '127.0.1',
      '0x7f.1',
      '0177.1',
      '2130706433',
      '0x7f000001',
      '017700000001',
    ] as const),
    ...(['::ffff:127.0.0.1', '[::ffff:7f00:1]', '0:0:0:0:0:ffff:7f00:0001', '127.0.0.1.'] as const),
  ])('is the same however it is written: %s', (text) => {
    expect(readAddress(text)).toEqual([127, 0, 0, 1])
  })

  it('is read as the platform reads it', () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.nat(0xffffffff), (six, number) => {
        expect(readAddress(six) !== null).toBe(isIPv6(six))
        const written = new URL(`http://${String(number)}/`).hostname
        expect(readAddress(String(number))).toEqual(written.split('.').map(Number))
        expect(readAddress(`0x${number.toString(16)}`)).toEqual(readAddress(written))
        // As `URL` tidies an address of sixteen octets.
        const tidy = new URL(`http://[${six.replace(/%.*/, '')}]/`).hostname
        expect(readAddress(tidy)).toEqual(readAddress(six))
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    '',
    'localhost',
    '1.2.3.4.5',
    '256.1.1.1',
    '1.2.3.256',
    '4294967296',
    '08.1.1.1',
    'a.b.c.d',
    ':::',
    '1::2::3',
    '12345::',
    '::g',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3',
    '1.2.3.4:80',
  ])('is not %j', (text) => {
    expect(readAddress(text)).toBeNull()
  })
})

describe('what is public', () => {
  it.each([
    ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '10.0.0.1', '172.16.0.1', '172.31.255.255'],
    ...[
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '100.127.255.255',
      '192.0.0.8',
      '192.0.2.1',
    ],
    ...['198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.1.1.1', '240.0.0.1'],
    ...['255.255.255.255', '168.63.129.16', '100.100.100.200', '192.88.99.1'],
    ...[
      '::',
      '::1',
      'fe80::1',
      'fec0::1',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
      '::ffff:10.0.0.1',
    ],
    ...['::10.0.0.1', '::ffff:0:127.0.0.1', '64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe'],
    ...[
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2002:a9fe:a9fe::1',
      '2001::1',
      '2001:db8::1',
      '2001:20::1',
    ],
    ...['3fff::1', '4000::1', '100::1', '5f00::1'],
  ])('%s is not', (text) => {
    expect(isPublic(read(text))).toBe(false)
  })

  it.each([
    ...[
      '1.1.1.1',
      '8.8.8.8',
      '172.15.0.1',
      '172.32.0.1',
      '100.63.255.255',
      '100.128.0.1',
      '11.0.0.1',
    ],
    ...['2606:4700::1111', '2a00:1450::1', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1'],
  ])('%s is', (text) => {
    expect(isPublic(read(text))).toBe(true)
  })

  it('is the same of an address within another: no spelling opens what its IPv4 address does not', () => {
    fc.assert(
      fc.property(fc.ipV4(), (four) => {
        const [a, b, c, d] = four.split('.').map((part) => Number(part).toString(16))
        const tail = `${String(a)}${(b ?? '').padStart(2, '0')}:${String(c)}${(d ?? '').padStart(2, '0')}`
        expect(isPublic(read(`::ffff:${four}`))).toBe(isPublic(read(four)))
        if (isPublic(read(four))) return
        for (const inside of [
          `64:ff9b::${four}`,
          `::${four}`,
          `::ffff:0:${four}`,
          `2002:${tail}::1`,
        ]) {
          expect(isPublic(read(inside)), inside).toBe(false)
        }
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    '169.254.169.254',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    'fe80::1',
    '::',
    'ff02::1',
    'fd00:ec2::254',
    'fd00:ec2::23',
    'fd20:ce::254',
    '64:ff9b::169.254.169.254',
    '2002:a9fe:a9fe::',
    '168.63.129.16',
  ])('%s is never to be called, whoever says so', (text) => {
    expect(isNever(read(text))).toBe(true)
  })

  it.each(['127.0.0.1', '10.1.2.3', '::1', 'fd12::1', 'fd00:ec3::1', 'fd20:cf::1'])(
    '%s may be, where somebody says so',
    (text) => {
      expect(isNever(read(text))).toBe(false)
    },
  )
})

describe('a range', () => {
  it.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.1.0.0/15', '10.0.9.9', true],
    ['10.2.0.0/15', '10.1.9.9', false],
    ['127.0.0.1', '127.0.0.2', false],
    ['127.0.0.1/32', '::ffff:127.0.0.1', true],
    ['fd00::/8', 'fdff::1', true],
    ['fd00::/8', 'fe00::1', false],
    ['::/0', '10.0.0.1', false],
  ])('%s has %s: %s', (text, address, has) => {
    const range = readRange(text)
    expect(range && isWithin(read(address), range)).toBe(has)
  })

  it.each(['10.0.0.0/33', '::/129', 'x/8', '10.0.0.0/', '/8', '10.0.0.0/8/8'])(
    'is not %s',
    (text) => {
      expect(readRange(text)).toBeNull()
    },
  )
})
