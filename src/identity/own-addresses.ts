/** Which addresses are this machine's, its neighbours' on the wire, or nobody's: not where an issuer is. */
import { type LookupAddress, type LookupOptions, lookup as lookUp } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

const refused = new BlockList()
for (const [net, bits] of [
  ...([
    ['127.0.0.0', 8],
    ['0.0.0.0', 8],
    ['169.254.0.0', 16],
  ] as const), // the last has the clouds' metadata
  ...([
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ] as const),
] as const) {
  refused.addSubnet(net, bits, 'ipv4')
  refused.addSubnet(`64:ff9b::${net}`, 96 + bits, 'ipv6') // NAT64
}
for (const [net, bits] of [
  ['::', 127],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const) {
  refused.addSubnet(net, bits, 'ipv6')
}

/** Of an IP address; an IPv4 address within an IPv6 one counts as itself. */
export function isOwnAddress(address: string): boolean {
  const family = isIP(address)
  return family === 0 || refused.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** Of a host in an address, as `URL` spells it. Of another name only looking it up can tell. */
export function isOwnHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '')
  return isIP(bare) === 0 ? /(^|\.)localhost$/.test(bare) : isOwnAddress(bare)
}

type Resolve = (
  hostname: string,
  options: LookupOptions & { readonly all: true },
  callback: (error: Error | null, found: LookupAddress[]) => void,
) => void

/** Looks a name up, and fails where any address of it is one of these; what was checked is connected to. */
export const lookupElsewhere =
  (resolve: Resolve = lookUp): LookupFunction =>
  (hostname, { all, ...options }, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      const [first] = error === null ? found : []
      if (error !== null || first === undefined) {
        callback(error ?? new Error('The name has no address'), '', 4)
      } else if (found.some(({ address }) => isOwnAddress(address))) {
        callback(new Error('The name leads to this machine, or to nobody'), '', 4)
      } else if (all === true) callback(null, found)
      else callback(null, first.address, first.family)
    })
  }
