/** Whoever proved who they are, was told to wait, and does not. */
import { describe, expect, it } from 'vitest'
import type { FrontIdentity } from '../../src/http/front.ts'
import { createHasty } from '../../src/http/hasty.ts'
import { aFront, HEADERS, LIMITS, serving } from '../fakes/front.ts'

const PATH = '/v1/credentials/crd_01m7ysq11heassstccc64q4cfx'

/** A front that tells how often it was looked at who calls. */
function aCountingFront() {
  const front = aFront({ limits: { ...LIMITS, callerPerSecond: 2 } })
  const looked: (string | null)[] = []
  const identity: FrontIdentity = {
    ...front.identity,
    authenticate(presented) {
      looked.push(presented.authorization)
      return front.identity.authenticate(presented)
    },
  }
  return { front: { ...front, identity }, looked }
}

describe('whoever was told to wait', () => {
  it('[DOS-08] and does not is refused without a look at what is shown, and counted', async () => {
    const { front, looked } = aCountingFront()
    await serving(front, async ({ call }) => {
      const statuses: number[] = []
      for (let n = 0; n < 20; n += 1) {
        const { status, headers } = await call('GET', PATH, { headers: HEADERS.agent })
        statuses.push(status)
        if (status === 429) expect(headers.get('retry-after')).toBe('1')
      }
      expect(new Set(statuses.slice(5))).toEqual(new Set([429]))
      expect(statuses.slice(0, 4)).not.toContain(429)
      // Whatever is asked for: what is not given back ends by itself.
      expect((await call('DELETE', PATH, { headers: HEADERS.agent })).status).toBe(429)
      // Four were saved up; the fifth was refused, and known by that from then on.
      expect(looked).toHaveLength(5)
      expect(front.refusals.filter((it) => it.startsWith('native rate_limited'))).toHaveLength(17)
    })
  })

  it('keeps nobody else out: not who shows something else, nor who proved nothing', async () => {
    const { front, looked } = aCountingFront()
    await serving(front, async ({ call }) => {
      const stolen = { ...HEADERS.agent, dpop: 'another' }
      for (let n = 0; n < 10; n += 1) {
        expect((await call('GET', PATH, { headers: stolen })).status).toBe(401)
      }
      expect((await call('GET', PATH, { headers: HEADERS.agent })).status).not.toBe(429)
      for (let n = 0; n < 10; n += 1) await call('GET', PATH, { headers: HEADERS.agent })
      const before = looked.length
      const other = { ...HEADERS.agent, authorization: 'DPoP another' }
      expect((await call('GET', PATH, { headers: other })).status).toBe(401)
      expect(looked.length).toBe(before + 1)
    })
  })

  it('is forgotten when the time is over, and held against no other address', () => {
    let time = 0
    const hasty = createHasty(() => time)
    hasty.note('10.0.0.1', 'DPoP one')
    expect(hasty.has('10.0.0.1', 'DPoP one')).toBe(true)
    expect(hasty.has('10.0.0.2', 'DPoP one')).toBe(false)
    expect(hasty.has('10.0.0.1', 'DPoP two')).toBe(false)
    expect(hasty.has('10.0.0.1', undefined)).toBe(false)
    time = 999
    expect(hasty.has('10.0.0.1', 'DPoP one')).toBe(true)
    time = 1000
    expect(hasty.has('10.0.0.1', 'DPoP one')).toBe(false)
  })

  it('takes up no memory without end: who was told longest ago is forgotten', () => {
    const hasty = createHasty(() => 0)
    for (let n = 0; n <= 10_000; n += 1) hasty.note('10.0.0.1', String(n))
    expect(hasty.has('10.0.0.1', '0')).toBe(false)
    expect(hasty.has('10.0.0.1', '1')).toBe(true)
  })
})
