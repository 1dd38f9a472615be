/** Pure: IP addresses in every spelling, and which of them are the public's. */

/** Four octets or sixteen. */
export type Octets = readonly number[]

export interface Range {
  readonly octets: Octets
  readonly bits: number
}

/**
 * `127.0.0.1`, `127.1`, `0x7f.1`, `2130706433`, `::1`, `[::ffff:127.0.0.1]`, `fe80::1%eth0`: the octets
 * that they stand for, an IPv4 address within an IPv6 one as itself. `null` for what is no address.
 */
export function readAddress(text: string): Octets | null {
  const [bare = ''] = text.replace(/^\[(.*)\]$/, '$1').split('%', 1)
  if (!bare.includes(':')) return readIpv4(bare)
  const octets = readIpv6(bare)
  return octets !== null && isWithin(octets, MAPPED) ? octets.slice(12) : octets
}

/** `10.0.0.0/8`, `fd00::/8`, `127.0.0.1`. */
export function readRange(text: string): Range | null {
  const [, address = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const octets = readAddress(address)
  if (octets === null) return null
  const bits = length === undefined ? octets.length * 8 : Number(length)
  return bits <= octets.length * 8 ? { octets, bits } : null
}

export function isWithin(octets: Octets, { octets: of, bits }: Range): boolean {
  if (octets.length !== of.length) return false
  return of.every((octet, at) => {
    const left = Math.min(8, Math.max(0, bits - at * 8))
    const mask = (0xff << (8 - left)) & 0xff
    return ((octets[at] ?? 0) & mask) === (octet & mask)
  })
}

/**
 * What a target may not be found at, however it is configured: where clouds hand out the machine's own
 * credentials, neighbours on the wire, everybody, and nobody.
 */
export function isNever(octets: Octets): boolean {
  return insides(octets).some((one) => NEVER.some((range) => isWithin(one, range)))
}

/** Whether the public reaches it: what is not known to be public is not. */
export function isPublic(octets: Octets): boolean {
  if (isNever(octets)) return false
  if (octets.length === 16) {
    const isGlobal = isWithin(octets, GLOBAL) || isWithin(octets, NAT64)
    if (!isGlobal || SPECIAL.some((range) => isWithin(octets, range))) return false
  }
  return insides(octets).every(
    (one) => one.length === 16 || !SPECIAL.some((range) => isWithin(one, range)),
  )
}

/** The address, and the IPv4 address that a gateway would take it for. */
function insides(octets: Octets): Octets[] {
  if (octets.length === 4) return [octets]
  if (isWithin(octets, SIX_TO_FOUR)) return [octets, octets.slice(2, 6)]
  if (isWithin(octets, SELF)) return [octets]
  const isLast = EMBEDDING.some((range) => isWithin(octets, range))
  return isLast ? [octets, octets.slice(12)] : [octets]
}

/** inet_aton's: one to four parts, decimal, octal or hexadecimal, the last fills what is left. */
function readIpv4(text: string): Octets | null {
  const parts = text.replace(/\.$/, '').split('.')
  if (parts.length > 4 || !parts.every((part) => NUMBER.test(part))) return null
  const numbers = parts.map(valueOf)
  const last = numbers.pop() ?? 0
  const left = 4 - numbers.length
  if (numbers.some((number) => number > 255) || last >= 256 ** left) return null
  const tail = Array.from({ length: left }, (_, at) => Math.floor(last / 256 ** (left - 1 - at)))
  return [...numbers, ...tail.map((number) => number % 256)]
}

const NUMBER = /^(?:0x[0-9a-f]{0,8}|0[0-7]{0,11}|[1-9]\d{0,9})$/i

function valueOf(part: string): number {
  if (/^0x/i.test(part)) return part.length === 2 ? 0 : parseInt(part, 16)
  return parseInt(part, part.startsWith('0') ? 8 : 10)
}

/** RFC 4291 §2.2. */
function readIpv6(text: string): Octets | null {
  const [, head = '', dotted] = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text) ?? []
  const last = dotted === undefined ? [] : readIpv4(dotted)
  if (last === null) return null
  const words = dotted === undefined ? text : head.replace(/([^:]):$/, '$1')
  const sides = words.split('::')
  if (sides.length > 2) return null
  const [left, right] = sides.map((side) => (side === '' ? [] : side.split(':')))
  const all = [...(left ?? []), ...(right ?? [])]
  if (!all.every((word) => /^[0-9a-f]{1,4}$/i.test(word))) return null
  const octetsOf = (side: readonly string[] = []) =>
    side.flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 0xff])
  const missing = 16 - all.length * 2 - last.length
  if (sides.length === 1 ? missing !== 0 : missing < 2) return null
  const zeros = Array.from({ length: missing }, () => 0)
  return [...octetsOf(left), ...zeros, ...octetsOf(right), ...last]
}

function range(text: string): Range {
  const [address = '', bits = ''] = text.split('/')
  const octets = address.includes(':') ? readIpv6(address) : readIpv4(address)
  if (octets === null) throw new TypeError(`not a range: ${text}`)
  return { octets, bits: Number(bits) }
}

const MAPPED = range('::ffff:0:0/96')
const SELF = range('::1/128')
const SIX_TO_FOUR = range('2002::/16')
const NAT64 = range('64:ff9b::/96')
/** The last four octets are an IPv4 address: compatible, translated, NAT64. */
const EMBEDDING = [range('::/96'), range('::ffff:0:0:0/96'), NAT64, MAPPED]
/** The one block that IANA gives addresses out of. */
const GLOBAL = range('2000::/3')

const NEVER = [
  ...['0.0.0.0/8', '169.254.0.0/16', '224.0.0.0/4', '240.0.0.0/4'],
  // Where clouds answer about the machine, outside of the link-local ones.
  ...['168.63.129.16/32', '100.100.100.200/32', '192.0.0.192/32', 'fd00:ec2::/32'],
  ...['fd20:ce::/32', '::/128', 'fe80::/10', 'fec0::/10', 'ff00::/8'],
].map(range)

/** RFC 6890 and IANA's registries since: of some use, and none of it public. */
const SPECIAL = [
  ...['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
  ...['192.0.0.0/24', '192.0.2.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  ...['192.88.99.0/24', '2001::/23', '2001:db8::/32', '3fff::/20', '64:ff9b:1::/48'],
].map(range)
