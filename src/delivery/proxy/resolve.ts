/** A name → the one address that is connected to. It is looked up once: what was checked is what is used. */
import { lookup } from 'node:dns/promises'
import { BrokerError } from '../../domain/problems.ts'
import { within } from '../deadline.ts'
import { isNever, isPublic, isWithin, type Octets, readAddress, readRange } from './address.ts'

const LOOKUP_MS = 2000
/** A lookup holds one of the four threads that the process has for files and keys as well. */
const LOOKUPS_MAX = 2

export interface Pinned {
  readonly address: string
  /** What its certificate has to name, where it was a name. */
  readonly name: string | null
}

export type Resolve = (name: string) => Promise<readonly { readonly address: string }[]>

/** One lookup of a name at a time, for all who ask meanwhile; and few at once, the others in turn. */
export function together(resolve: Resolve, most: number): Resolve {
  const asked = new Map<string, ReturnType<Resolve>>()
  const waiting: (() => void)[] = []
  let places = most
  async function inTurn(name: string): ReturnType<Resolve> {
    if (places > 0) places -= 1
    else await new Promise<void>((next) => waiting.push(next))
    try {
      return await resolve(name)
    } finally {
      asked.delete(name)
      const next = waiting.shift()
      if (next === undefined) places += 1
      else next() // Who waited has the place.
    }
  }
  return (name) => {
    const found = asked.get(name) ?? inTurn(name)
    asked.set(name, found)
    return found
  }
}

export const fromSystem = together(
  (name) => lookup(name, { all: true, order: 'verbatim' }),
  LOOKUPS_MAX,
)

/**
 * @param hostname as `URL` spells it
 * @param ranges of addresses that are not public, those that are meant
 * @throws BrokerError `target_denied` where any address of it is not one to call, `downstream_failed`
 *   where it has none, `downstream_timeout`
 */
export async function pin(
  hostname: string,
  ranges: readonly string[],
  resolve: Resolve,
): Promise<Pinned> {
  const literal = readAddress(hostname)
  if (literal !== null) {
    if (!isOpen(literal, ranges)) throw denied()
    return { address: hostname.replace(/^\[(.*)\]$/, '$1'), name: null }
  }
  const found = await lookedUp(hostname, resolve)
  const [first] = found
  if (first === undefined) throw new BrokerError('downstream_failed', { message: 'no address' })
  // One that is not to be called makes the name suspect: it may be the one that is used next time.
  const areOpen = found.every(({ address }) => {
    const octets = readAddress(address)
    return octets !== null && isOpen(octets, ranges)
  })
  if (!areOpen) throw denied()
  return { address: first.address, name: hostname.replace(/\.$/, '') }
}

async function lookedUp(hostname: string, resolve: Resolve) {
  try {
    return await within(LOOKUP_MS, () => resolve(hostname))
  } catch (cause) {
    const isLate = cause instanceof DOMException
    throw new BrokerError(isLate ? 'downstream_timeout' : 'downstream_failed', { cause })
  }
}

function isOpen(octets: Octets, ranges: readonly string[]): boolean {
  if (isPublic(octets)) return true
  if (isNever(octets)) return false
  return ranges.some((text) => {
    const range = readRange(text)
    return range !== null && isWithin(octets, range)
  })
}

const denied = () =>
  new BrokerError('target_denied', {
    shown: { reason: 'address', detail: 'The address of the target is not one to call' },
  })
