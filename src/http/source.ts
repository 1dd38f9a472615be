/** Where a request comes from: the address that connected, or the one that a proxy we know tells. */
import { isIP } from 'node:net'
import type { Request } from 'express'

/**
 * The nearest address that is not one of our own proxies. Each proxy appends whom it was called by,
 * so that the list is read from its end, and only as far as we know who wrote it. What is not an
 * address ends the reading: then the proxy itself is the source.
 *
 * @param proxies exact addresses; without them no header is looked at
 */
export function addressOf(req: Request, proxies: ReadonlySet<string>): string {
  let address = plain(req.socket.remoteAddress ?? '')
  if (!proxies.has(address)) return address
  const forwarded = req.headers['x-forwarded-for']
  const told = typeof forwarded === 'string' ? forwarded.split(',') : []
  for (const each of told.reverse()) {
    const next = plain(each.trim())
    if (isIP(next) === 0) return address
    address = next
    if (!proxies.has(address)) return address
  }
  return address
}

/** An IPv4 address as itself, also where the socket speaks IPv6. */
export const plain = (address: string) =>
  address.startsWith('::ffff:') && isIP(address.slice(7)) === 4 ? address.slice(7) : address

/** What is counted as one: an IPv6 caller has as many addresses as it likes within its /64. */
export function sourceOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => '0')
  return [...groups, ...zeros, ...rest].slice(0, 4).join(':')
}
