import type { NextFunction, Request, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/domain/problems.ts'
import { limitSources, sourceOf } from '../../src/http/limits.ts'
import { aFront, HEADERS, serving } from '../fakes/front.ts'
import { IDS } from '../fakes/settled.ts'

// As much of a request as is looked at.
const from = (remoteAddress: string) => ({ socket: { remoteAddress } }) as unknown as Request
const NO_RESPONSE = {} as unknown as Response

describe('a source', () => {
  const limits = { requestsPerSecond: 10, concurrentMax: 10 }

  function limiter() {
    let now = 0
    const limit = limitSources(limits, () => now)
    const passes = (remoteAddress: string) => {
      let isPassed = false
      const next: NextFunction = () => {
        isPassed = true
      }
      try {
        limit(from(remoteAddress), NO_RESPONSE, next)
      } catch (error) {
        if (!(error instanceof BrokerError) || error.code !== 'rate_limited') throw error
      }
      return isPassed
    }
    const count = (address: string, times: number) =>
      Array.from({ length: times }, () => passes(address)).filter(Boolean).length
    return { count, after: (ms: number) => (now += ms) }
  }

  it('may use what it saved up, then its rate, whatever others do', () => {
    const { count, after } = limiter()
    expect(count('10.0.0.1', 100)).toBe(20)
    expect(count('10.0.0.2', 5)).toBe(5)
    after(500)
    expect(count('10.0.0.1', 100)).toBe(5)
    after(60_000)
    expect(count('10.0.0.1', 100)).toBe(20)
  })

  it('is a whole /64 of IPv6, and one address of IPv4', () => {
    expect(sourceOf('2001:db8:0:1::1')).toBe(sourceOf('2001:db8:0:1:ffff::2'))
    expect(sourceOf('2001:db8::1')).not.toBe(sourceOf('2001:db8:0:1::1'))
    expect(sourceOf('::1')).toBe('0:0:0:0')
    expect(sourceOf('::ffff:10.0.0.1')).not.toBe(sourceOf('::ffff:10.0.0.2'))
  })

  it('over its rate gets 429 and when to come back', async () => {
    const front = aFront({ limits: { requestsPerSecond: 1, concurrentMax: 10 } })
    await serving(front, async ({ call }) => {
      const statuses: number[] = []
      for (let at = 0; at < 3; at += 1) statuses.push((await call('GET', '/docs')).status)
      expect(statuses).toEqual([200, 200, 429])
      const last = await call('GET', '/v1/agents')
      expect(last.body['code']).toBe('rate_limited')
      expect(last.headers.get('retry-after')).toBe('1')
      expect((await call('GET', '/livez')).status).toBe(200)
    })
  })
})

describe('more at once than can be done', () => {
  const path = `/v1/agents/${IDS.agent}`

  it('is a quick 503, and what was going on goes on', async () => {
    const front = aFront({ limits: { requestsPerSecond: 1000, concurrentMax: 2 } })
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    const find: typeof front.agents.find = async (person, id) => {
      await gate
      return await front.agents.find(person, id)
    }
    await serving({ ...front, agents: { ...front.agents, find } }, async ({ call }) => {
      const get = () => call('GET', path, { headers: HEADERS.sponsor })
      const held = [get(), get()]
      await expect.poll(async () => (await call('GET', '/docs')).status).toBe(503)
      open()
      expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200])
      expect((await get()).status).toBe(200)
    })
  })

  it('does not count those that only wait, who have a bound of their own', async () => {
    const front = aFront({ limits: { requestsPerSecond: 1000, concurrentMax: 10 } })
    let looks = 0
    const find: typeof front.approvals.find = (person, id) => {
      looks += 1
      return front.approvals.find(person, id)
    }
    await serving({ ...front, approvals: { ...front.approvals, find } }, async ({ call }) => {
      let answered = 0
      const wait = async () => {
        const headers = HEADERS.approver
        const answer = await call('GET', `/v1/approvals/${IDS.approval}?wait=3`, { headers })
        answered += 1
        return answer
      }
      const waiting = Array.from({ length: 10 }, wait)
      await expect.poll(() => looks).toBeGreaterThanOrEqual(10)
      const get = () => call('GET', path, { headers: HEADERS.sponsor })
      await expect.poll(async () => (await get()).status).toBe(200)
      expect(answered).toBe(0)
      expect((await wait()).body['code']).toBe('rate_limited')
      const statuses = (await Promise.all(waiting)).map(({ status }) => status)
      expect(statuses.every((status) => status === 200)).toBe(true)
    })
  })
})
