import { describe, expect, it } from 'vitest'
import { BrokerError } from '../../src/domain/problems.ts'
import type { Front } from '../../src/http/front.ts'
import type { ProxiedAnswer } from '../../src/http/front-delivering.ts'
import { aFront, HEADERS, serving } from '../fakes/front.ts'
import { IDS } from '../fakes/settled.ts'

const PATH = `/v1/proxy/${IDS.credential}/v1/things/red`

function answering(answer: Partial<ProxiedAnswer>): Front {
  const empty = { first: new Uint8Array(), more: null, over: Promise.resolve() }
  const whole = { status: 200, headers: [], ...empty, ...answer }
  return aFront({ proxy: { call: () => Promise.resolve(whole) } })
}

const call = <T>(front: Front, read: (response: Response) => Promise<T>) =>
  serving(front, async ({ url }) => await read(await fetch(url + PATH, { headers: HEADERS.agent })))

describe('a caller who leaves', () => {
  it('is noticed, also while it is still being found out who calls', async () => {
    const front = aFront()
    const gone = new AbortController()
    let isGone: () => void = () => undefined
    const closed = new Promise<void>((resolve) => (isGone = resolve))
    const authenticate: Front['identity']['authenticate'] = async (presented) => {
      gone.abort()
      await closed
      return await front.identity.authenticate(presented)
    }
    let tell: (hasLeft: boolean) => void = () => undefined
    const hasLeft = new Promise<boolean>((resolve) => (tell = resolve))
    const proxy: Front['proxy'] = {
      call(_instance, { left }) {
        tell(left.aborted)
        return Promise.reject(new BrokerError('unavailable'))
      },
    }
    const identity = { ...front.identity, authenticate }
    await serving({ ...front, identity, proxy }, async ({ url, server }) => {
      server.on('request', (_request, response) => response.once('close', isGone))
      const { signal } = gone
      await expect(fetch(url + PATH, { headers: HEADERS.agent, signal })).rejects.toThrow()
      expect(await hasLeft).toBe(true)
    })
  })
})

describe('what is passed on of a call', () => {
  it('begins when the target has begun to answer, before anything of it is there', async () => {
    let goOn: () => void = () => undefined
    const waiting = new Promise<void>((resolve) => (goOn = resolve))
    async function* more() {
      await waiting
      yield Buffer.from('at last')
    }
    const text = await call(answering({ more: more() }), async (response) => {
      expect(response.headers.get('procura-upstream-status')).toBe('200')
      goOn()
      return await response.text()
    })
    expect(text).toBe('at last')
  })

  it('is cut, and does not seem to be whole, where the rest is withheld', async () => {
    async function* more() {
      await Promise.resolve()
      yield Buffer.from('some')
      throw new Error('withheld')
    }
    const front = answering({ first: Buffer.from('first '), more: more() })
    await call(front, (response) => expect(response.text()).rejects.toThrow())
  })

  it.each([204, 304, 401, 418, 503])(
    'has the status of the target, %i, and is not kept',
    async (status) => {
      const seen = await call(answering({ status }), ({ status, headers }) =>
        Promise.resolve([
          status,
          headers.get('procura-upstream-status'),
          headers.get('cache-control'),
        ]),
      )
      expect(seen).toEqual([status, String(status), 'no-store'])
    },
  )
})
