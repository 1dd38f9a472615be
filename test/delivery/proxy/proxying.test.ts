/** One call through the broker, and what it costs its lease when something is in the way. */
import { describe, expect, it } from 'vitest'
import type { Live } from '../../../src/delivery/proxy/live.ts'
import { createProxy, type ProxyOptions } from '../../../src/delivery/proxying.ts'
import { digestOf } from '../../../src/domain/digest.ts'
import type { Ledger } from '../../../src/domain/ports.ts'
import { unavailable } from '../../../src/domain/problems.ts'
import { bySystem } from '../../../src/domain/request.ts'
import { Secret } from '../../../src/domain/secret.ts'
import { NO_TOKENS } from '../../fakes/no-tokens.ts'
import { anUpstream } from '../../lines/upstream.ts'
import { anIntent, now } from '../bench.ts'

const THERE: Live = { watch: () => () => undefined }
const open = <T>(_target: string, work: (secret: Secret) => Promise<T>) =>
  work(new Secret('the-secret-of-the-target'))

/** A call of a lease that lasts a minute. What is recorded first is that it was spent. */
async function aCall(more: Partial<ProxyOptions> = {}, settings: object = {}) {
  const upstream = await anUpstream()
  const count = { recorded: 0, left: 0 }
  const record = async () => {
    count.recorded += 1
  }
  const at = {
    ...{ connector: 'http', base_url: `http://127.0.0.1:${String(upstream.port)}` },
    ...{ private_addresses: ['127.0.0.1'], insecure_http: true, inject: 'bearer' },
    ...{ allow: [{ methods: ['GET'], paths: ['/things'] }], ...settings },
  }
  const end = () => {
    count.left += 1
  }
  const proxy = createProxy({
    ...{ tenant: 'main', ledger: { record } as unknown as Ledger, clock: now, live: THERE },
    ...{ secrets: { use: open }, tokens: NO_TOKENS, targets: { things: at } },
    places: { enter: () => Promise.resolve({ waitedMs: 0, end }) },
    ...more,
  })
  const intent = anIntent({
    ...{ target: 'things', connector: 'http', senderConstraint: 'proxy', argsHash: digestOf({}) },
    permissions: {
      ...{ method: 'GET', template: '/things', path: '/things', query: {} },
      ...{ body_sha256: null, headers: {} },
    },
  })
  const called = {
    ...{ lease: intent.lease, method: 'GET', path: '/things', query: '', headers: {} },
    ...{ body: new Uint8Array(), left: new AbortController().signal },
  }
  const by = { instance: undefined as never, called, act: bySystem('req-1') }
  const call = () => proxy.call({ intent, leftMs: 60_000 }, by)
  return { call, upstream, count }
}

describe('a call through the broker', () => {
  it('gives its place back once', async () => {
    const { call, count } = await aCall()
    const { status, over } = await call()
    await over
    expect([status, count]).toEqual([200, { recorded: 2, left: 1 }])
  })

  it('spends nothing where the key of the secret is away', async () => {
    const use = () => Promise.reject(unavailable('keys'))
    const { call, count } = await aCall({ secrets: { use } })
    await expect(call()).rejects.toMatchObject({ code: 'unavailable' })
    expect(count.recorded).toBe(0)
  })

  it('spends nothing where the secret is not there, and says who has to act', async () => {
    const use = () => Promise.reject(new Error('no secret'))
    const { call, count } = await aCall({ secrets: { use } })
    await expect(call()).rejects.toMatchObject({
      ...{ code: 'downstream_failed', shown: { reason: 'no_secret' } },
    })
    expect(count.recorded).toBe(0)
  })

  it('that is spent is never told that nothing was', async () => {
    let uses = 0
    const use: typeof open = (target, work) =>
      (uses += 1) > 1 ? Promise.reject(unavailable('keys')) : open(target, work)
    const { call, count } = await aCall({ secrets: { use } })
    await expect(call()).rejects.toMatchObject({ code: 'downstream_failed' })
    expect(count).toEqual({ recorded: 2, left: 1 })
  })

  it('gives its place back where nobody can be told of its end', async () => {
    const live: Live = {
      watch: () => {
        throw new Error('no timer')
      },
    }
    const { call, count } = await aCall({ live })
    await expect(call()).rejects.toThrow('no timer')
    expect(count.left).toBe(1)
  })

  it('passes the last octets on as they came, also to whoever asks for them when it is over', async () => {
    const { call, upstream } = await aCall()
    const text = 'x'.repeat(1_000_000)
    upstream.answer = (_seen, response) => response.end(`${text}the-sec`)
    const { first, more, over } = await call()
    const passed = [first]
    for await (const chunk of more ?? []) {
      passed.push(chunk)
      if (Buffer.concat(passed).length === text.length) await over
    }
    expect(Buffer.concat(passed).subarray(text.length).toString()).toBe('the-sec')
  })

  it('goes on for as long as its lease, what was before it was sent included', async () => {
    let time = 0
    const check = () => {
      time += 60_000
      return Promise.resolve()
    }
    const { call, upstream } = await aCall(
      { elapsed: () => time, tokens: { ...NO_TOKENS, check } },
      { timeout_ms: 500 },
    )
    // More than is looked through in one piece, and then no end.
    upstream.answer = (_seen, response) => response.write('x'.repeat(100_000))
    const since = performance.now()
    const { more, over } = await call()
    const read = async () => {
      for await (const _ of more ?? []);
    }
    await expect(read()).rejects.toThrow('aborted')
    await over
    expect(performance.now() - since).toBeLessThan(10_000)
  })

  it('asks for no address of a token endpoint where its token is kept', async () => {
    const looked: string[] = []
    const resolve = (name: string) => {
      looked.push(name)
      return Promise.resolve([{ address: '127.0.0.1' }])
    }
    const grant = { token_url: 'http://as.example/token', client_id: 'us' }
    for (const [inject, names] of [
      [{ refresh_token: grant }, []],
      [{ client_credentials: { ...grant, keep: true } }, []],
      [{ client_credentials: grant }, ['as.example']],
    ] as const) {
      looked.length = 0
      const tokenFor = () =>
        Promise.resolve({ token: 'a-token', others: [], notTaken: () => Promise.resolve() })
      const tokens = { ...NO_TOKENS, tokenFor }
      const { call } = await aCall({ tokens, resolve }, { inject })
      await (
        await call()
      ).over
      expect(looked).toEqual(names)
    }
  })
})
