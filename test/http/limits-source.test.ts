import type { Request } from 'express'
import { describe, expect, it } from 'vitest'
import { addressOf, sourceOf } from '../../src/http/source.ts'
import { aFront, LIMITS, serving } from '../fakes/front.ts'

const from = (remoteAddress: string, forwarded?: string) =>
  ({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }) as unknown as Request

describe('where a request comes from', () => {
  const proxies = new Set(['10.0.0.10', '10.0.0.11', '2001:db8::10'])

  it('is who connected, whatever the headers say', () => {
    expect(addressOf(from('192.0.2.1', '198.51.100.7'), proxies)).toBe('192.0.2.1')
    expect(addressOf(from('10.0.0.10', '198.51.100.7'), new Set())).toBe('10.0.0.10')
  })

  it('is whom the nearest proxy of ours was called by, through any number of them', () => {
    expect(addressOf(from('10.0.0.10', '198.51.100.7'), proxies)).toBe('198.51.100.7')
    expect(addressOf(from('::ffff:10.0.0.10', '198.51.100.7'), proxies)).toBe('198.51.100.7')
    expect(addressOf(from('2001:db8::10', '198.51.100.7, 10.0.0.11'), proxies)).toBe('198.51.100.7')
  })

  it('is never what a caller wrote into the header before a proxy of ours', () => {
    const claimed = '203.0.113.9, 10.0.0.11, 198.51.100.7'
    expect(addressOf(from('10.0.0.10', claimed), proxies)).toBe('198.51.100.7')
  })

  it('is the proxy itself when what it tells is no address', () => {
    for (const told of [undefined, '', 'unknown', '198.51.100.7:80', '198.51.100.7,']) {
      expect(addressOf(from('10.0.0.10', told), proxies)).toBe('10.0.0.10')
    }
  })

  it('is a whole /64 of IPv6, and one address of IPv4', () => {
    expect(sourceOf('2001:db8:0:1::1')).toBe(sourceOf('2001:db8:0:1:ffff::2'))
    expect(sourceOf('2001:db8::1')).not.toBe(sourceOf('2001:db8:0:1::1'))
    expect(sourceOf('::1')).toBe('0:0:0:0')
    expect(sourceOf('::ffff:10.0.0.1')).not.toBe(sourceOf('::ffff:10.0.0.2'))
  })

  it('separates those behind a proxy that is named, and only behind such a one', async () => {
    const statuses = async (proxies: readonly string[]) => {
      const seen: number[] = []
      const front = aFront({ limits: { ...LIMITS, requestsPerSecond: 1, proxies } })
      await serving(front, async ({ call }) => {
        for (const last of ['1', '1', '1', '2']) {
          const headers = { 'x-forwarded-for': `203.0.113.9, 198.51.100.${last}` }
          seen.push((await call('GET', '/docs', { headers })).status)
        }
      })
      return seen
    }
    expect(await statuses(['127.0.0.1'])).toEqual([200, 200, 429, 200])
    expect(await statuses(['127.0.0.2'])).toEqual([200, 200, 429, 429])
  })
})
