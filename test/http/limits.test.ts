import type { Request, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/domain/problems.ts'
import type { Recognised } from '../../src/domain/request.ts'
import { begin, callOf } from '../../src/http/call.ts'
import { createCallers, limitCallers, type Limits, limitSources } from '../../src/http/limits.ts'
import { aFront, HEADERS, LIMITS, serving } from '../fakes/front.ts'

/** As much of a request and a response as is looked at. */
function aCall(remoteAddress = '10.0.0.1') {
  const req = { socket: { remoteAddress }, headers: {} } as unknown as Request
  const res = { locals: {} } as unknown as Response
  begin(res, { issuer: '', requestId: 'r', face: 'native' })
  return { req, res, call: callOf(res) }
}

/** Whether it was let through; anything but `rate_limited` is a fault of ours. */
function passes(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch (error) {
    if (!(error instanceof BrokerError) || error.code !== 'rate_limited') throw error
    return false
  }
}
const countOf = (times: number, attempt: () => boolean) =>
  Array.from({ length: times }, attempt).filter(Boolean).length

describe('a source', () => {
  function limiter() {
    let now = 0
    const sources = limitSources({ ...LIMITS, requestsPerSecond: 10 }, () => now)
    const from = (address: string, code: string | null = null) => {
      const { req, res, call } = aCall(address)
      const isPassed = passes(() => {
        sources.limit(req, res, () => undefined)
      })
      call.code = code
      sources.over(call)
      return isPassed
    }
    return { from, after: (ms: number) => (now += ms) }
  }

  it('may use what it saved up, then its rate, whatever others do', () => {
    const { from, after } = limiter()
    expect(countOf(100, () => from('10.0.0.1'))).toBe(20)
    expect(countOf(5, () => from('10.0.0.2'))).toBe(5)
    after(500)
    expect(countOf(100, () => from('10.0.0.1'))).toBe(5)
    after(60_000)
    expect(countOf(100, () => from('10.0.0.1'))).toBe(20)
  })

  it('may have a fifth of that refused for what it presents, and waits before we look again', () => {
    const { from, after } = limiter()
    expect(countOf(100, () => from('10.0.0.1', 'invalid_token'))).toBe(4)
    expect(from('10.0.0.1')).toBe(false)
    expect(from('10.0.0.2')).toBe(true)
    after(1000)
    expect(countOf(100, () => from('10.0.0.1', 'invalid_dpop_proof'))).toBe(2)
    after(10_000)
    expect(countOf(20, () => from('10.0.0.1', 'use_dpop_nonce'))).toBe(20)
  })

  it('over its rate gets 429 and when to come back', async () => {
    const front = aFront({ limits: { ...LIMITS, requestsPerSecond: 1 } })
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

describe('whoever is known', () => {
  const anAgent = (id: string, sponsor = 'spn_a'): Recognised => ({ kind: 'agent', id, sponsor })
  const rates = { callerPerSecond: 5, sponsorPerSecond: 10, tenantPerSecond: 15 }

  function callers(limits: Partial<Limits> = rates) {
    const limit = limitCallers({ ...LIMITS, ...limits }, () => 0)
    const enter = (who: Recognised) => {
      const { req, res, call } = aCall()
      void limit(req, res, () => undefined)
      const isPassed = passes(() => {
        call.recognised(who)
      })
      if (!isPassed) call.release()
      return { call, isPassed }
    }
    const asks = (who: Recognised) => {
      const { call, isPassed } = enter(who)
      call.release()
      return isPassed
    }
    return { enter, asks }
  }

  it('has a rate of its own, one with its sponsor, and one with everybody', () => {
    const { asks } = callers()
    expect(countOf(50, () => asks(anAgent('agt_1')))).toBe(10)
    expect(countOf(50, () => asks(anAgent('agt_2')))).toBe(10)
    expect(countOf(50, () => asks(anAgent('agt_3')))).toBe(0)
    expect(countOf(50, () => asks(anAgent('agt_4', 'spn_b')))).toBe(10)
    expect(countOf(50, () => asks(anAgent('agt_5', 'spn_c')))).toBe(0)
  })

  it('is the same at every listener of the process', () => {
    const shared = { ...LIMITS, ...rates }
    const both = createCallers(shared, () => 0)
    const { asks } = callers({ ...shared, callers: both })
    expect(countOf(50, () => asks(anAgent('agt_1')))).toBe(10)
    const call = { caller: null, release: () => undefined }
    expect(() => {
      both(call, anAgent('agt_1'))
    }).toThrow('rate_limited')
  })

  it('as a person is not held up by what agents do', () => {
    const { asks } = callers()
    expect(countOf(200, () => asks(anAgent(`agt_${String(Math.random())}`)))).toBeLessThan(100)
    expect(asks({ kind: 'person', id: 'spn_a', sponsor: null })).toBe(true)
  })

  it('is counted with a refusal, also by the routes that only the broker sees into', async () => {
    const front = aFront({ limits: { ...LIMITS, callerPerSecond: 1 } })
    await serving(front, async ({ call }) => {
      const get = () => call('GET', '/v1/agents', { headers: HEADERS.sponsor })
      const answers = [await get(), await get(), await get()]
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 429])
      expect(front.refusals.at(-1)).toMatch(/^native rate_limited spn_/)
    })
  })

  it('holds at most half of the places, and the agents of one sponsor three quarters', () => {
    const { enter } = callers({ concurrentMax: 8 })
    const first = Array.from({ length: 5 }, () => enter(anAgent('agt_1')))
    expect(first.map(({ isPassed }) => isPassed)).toEqual([true, true, true, true, false])
    const second = Array.from({ length: 3 }, () => enter(anAgent('agt_2')))
    expect(second.map(({ isPassed }) => isPassed)).toEqual([true, true, false])
    expect(enter(anAgent('agt_3', 'spn_b')).isPassed).toBe(true)
    for (const { call } of first) call.release()
    expect(countOf(10, () => enter(anAgent('agt_2')).isPassed)).toBe(2)
  })
})
