import { generateKeyPairSync } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { createIssuers, type WorkloadIssuer } from '../../src/identity/issuers.ts'
import { createKeySource, type KeySource } from '../../src/identity/key-source.ts'
import { aHolder } from './signing.ts'

const good = aHolder('ES256', 'good')
const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** An issuer's endpoint whose answer can be changed, and which counts. */
async function anEndpoint() {
  const state = { hits: 0, answer: json({ keys: [good.jwk] }) }
  const server = createServer((req, res) => {
    state.hits += 1
    state.answer(req, res)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(state, { url: `http://127.0.0.1:${String(port)}/jwks` })
}
const json =
  (body: unknown): RequestListener =>
  (_, res) => {
    res.setHeader('content-type', 'application/json').end(JSON.stringify(body))
  }

let now = Date.UTC(2026, 10, 20, 12)
const clock = () => new Date(now)
const sourceOf = (url: string) => createKeySource({ jwks_uri: url, allow_http: true }, clock)
const isThere = async (source: KeySource, kid = 'good') => (await source.find(kid)) !== null
const inSeconds = (seconds: number) => {
  now += seconds * 1000
}
const down = { code: 'unavailable', shown: { evaluation: { unavailableInput: 'keys' } } }

describe('the keys of an issuer', () => {
  it('may be given with the configuration', async () => {
    const source = createKeySource({ jwks: { keys: [good.jwk] } }, clock)
    expect(await isThere(source)).toBe(true)
    expect(await isThere(source, 'other')).toBe(false)
  })

  it('are fetched over https from elsewhere, unless that is allowed', () => {
    for (const jwks_uri of [
      'http://idp.example/k',
      'https://127.0.0.1/k',
      'https://localhost/k',
      'https://[::1]/k',
    ]) {
      expect(() => createKeySource({ jwks_uri }, clock)).toThrow('allow_http')
    }
    expect(() => createKeySource({ jwks_uri: 'https://idp.example/k' }, clock)).not.toThrow()
    expect(() => createKeySource({}, clock)).toThrow('jwks')
    expect(() => createKeySource({ jwks: { keys: [{ kty: 'oct' }] } }, clock)).toThrow('fit')
  })

  it('belong to one configuration of it', () => {
    const once = { kind: 'spiffe', trust_domain: 'a.example', jwks: { keys: [good.jwk] } } as const
    const workload = { ...once, assertion_reuse: 'first_key' } as const
    const making = (workloads: WorkloadIssuer[]) => () =>
      createIssuers({ people: [], workloads }, clock)
    expect(making([workload, workload])).toThrow('twice')
    expect(making([workload, { ...workload, trust_domain: 'b.example' }])).not.toThrow()
  })

  it('are fetched once for all who ask at once, and again when they are old', async () => {
    const endpoint = await anEndpoint()
    const source = sourceOf(endpoint.url)
    const asked = await Promise.all(Array.from({ length: 50 }, () => isThere(source)))
    expect(asked.every(Boolean)).toBe(true)
    expect(endpoint.hits).toBe(1)
    inSeconds(301)
    await isThere(source)
    expect(endpoint.hits).toBe(2)
  })

  it('[AUT-22] are not fetched for every name that somebody invents', async () => {
    const endpoint = await anEndpoint()
    const source = sourceOf(endpoint.url)
    await isThere(source)
    for (let n = 0; n < 1000; n += 1) {
      inSeconds(0.01)
      expect(await isThere(source, `random-${String(n)}`)).toBe(false)
    }
    expect(endpoint.hits).toBeLessThanOrEqual(2)
    expect(await isThere(source)).toBe(true)
  })

  it('are found when the issuer has changed them', async () => {
    const endpoint = await anEndpoint()
    const source = sourceOf(endpoint.url)
    await isThere(source)
    endpoint.answer = json({ keys: [aHolder('ES256', 'new').jwk] })
    inSeconds(31)
    expect(await isThere(source, 'new')).toBe(true)
    expect(await isThere(source, 'good')).toBe(false)
  })

  it('[AUT-23] are those that are fit; the others are as if they were not there', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
      format: 'jwk',
    })
    const { d } = good.privateKey.export({ format: 'jwk' })
    const endpoint = await anEndpoint()
    endpoint.answer = json({
      keys: [
        { kty: 'oct', k: 'AAAA', kid: 'oct' },
        { ...weak, kid: 'weak' },
        { ...good.jwk, kid: 'enc', use: 'enc' },
        { ...good.jwk, kid: 'ops', key_ops: ['sign'] },
        { ...good.jwk, kid: 'private', d },
        { ...good.jwk, kid: 7 },
        { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA', kid: 'broken' },
        'not a key',
        good.jwk,
      ],
    })
    const source = sourceOf(endpoint.url)
    for (const kid of ['oct', 'weak', 'enc', 'ops', 'private', '7', 'broken']) {
      expect(await isThere(source, kid), kid).toBe(false)
    }
    expect(await isThere(source)).toBe(true)
  })

  it.each<[string, RequestListener]>([
    ['10,000 keys', json({ keys: Array.from({ length: 10_000 }, () => good.jwk) })],
    ['101 keys', json({ keys: Array.from({ length: 101 }, () => ({ kid: 'x' })) })],
    ['2 MB', (_, res) => res.end(`{"keys":[],"x":"${'x'.repeat(2_000_000)}"}`)],
    ['garbage', (_, res) => res.end('<html>')],
    ['a list', json([])],
    ['an error', (_, res) => res.writeHead(500).end()],
    ['nothing', (_, res) => res.destroy()],
    [
      'a packed answer',
      (_, res) => {
        res
          .setHeader('content-encoding', 'gzip')
          .end(gzipSync(JSON.stringify({ keys: [good.jwk] })))
      },
    ],
  ])('[AUT-23] [F44] stay as they were when the answer is %s', async (_, answer) => {
    const endpoint = await anEndpoint()
    const source = sourceOf(endpoint.url)
    await isThere(source)
    endpoint.answer = answer
    inSeconds(400)
    expect(await isThere(source)).toBe(true)
    expect(endpoint.hits).toBe(2)
    await expect(source.find('unknown')).rejects.toMatchObject(down)
    inSeconds(3600)
    await expect(source.find('good')).rejects.toMatchObject(down)
    endpoint.answer = json({ keys: [good.jwk] })
    inSeconds(31)
    expect(await isThere(source)).toBe(true)
  })

  it('[AUT-24] are not fetched from where a redirect points', async () => {
    const canary = await anEndpoint()
    const endpoint = await anEndpoint()
    endpoint.answer = (_, res) => res.writeHead(302, { location: canary.url }).end()
    await expect(sourceOf(endpoint.url).find('good')).rejects.toMatchObject(down)
    expect(canary.hits).toBe(0)
  })

  it('are not waited for longer than three seconds', async () => {
    const endpoint = await anEndpoint()
    endpoint.answer = () => undefined
    const source = sourceOf(endpoint.url)
    const began = performance.now()
    await expect(source.find('good')).rejects.toMatchObject(down)
    expect(performance.now() - began).toBeLessThan(4500)
    // And whoever asks during the pause that follows is answered at once.
    const again = performance.now()
    await expect(source.find('good')).rejects.toMatchObject(down)
    expect(performance.now() - again).toBeLessThan(100)
  })

  it('that are held are used at once where their issuer went on hanging, and not where it just began', async () => {
    const endpoint = await anEndpoint()
    const source = sourceOf(endpoint.url)
    await isThere(source)
    endpoint.answer = () => undefined
    inSeconds(301)
    const first = await took(isThere(source))
    expect(first).toMatchObject({ found: true })
    expect(first.ms).toBeGreaterThan(2000)
    for (let hits = 3; hits < 5; hits += 1) {
      inSeconds(31)
      const again = await took(Promise.all(Array.from({ length: 20 }, () => isThere(source))))
      expect(again.found).not.toContain(false)
      expect(again.ms).toBeLessThan(1000)
      await expect.poll(() => endpoint.hits).toBe(hits)
      await expect(source.find('unknown')).rejects.toMatchObject(down) // That waits for the attempt.
    }
    inSeconds(3600)
    await expect(source.find('good')).rejects.toMatchObject(down)
  })

  it('are gone when their issuer is back without them: at once, or after one look in the background', async () => {
    const endpoint = await anEndpoint()
    const source = sourceOf(endpoint.url)
    const fails: RequestListener = (_, res) => res.destroy()
    const other = json({ keys: [aHolder('ES256', 'other').jwk] })
    await isThere(source)
    endpoint.answer = fails
    inSeconds(301)
    expect(await isThere(source)).toBe(true)
    endpoint.answer = other
    inSeconds(31)
    expect(await isThere(source)).toBe(true)
    await expect.poll(() => isThere(source)).toBe(false)

    endpoint.answer = json({ keys: [good.jwk] })
    inSeconds(31)
    expect(await isThere(source)).toBe(true)
    endpoint.answer = fails
    inSeconds(301)
    expect(await isThere(source)).toBe(true)
    endpoint.answer = other
    inSeconds(301) // That it was down then says nothing of now.
    expect(await Promise.all([isThere(source), isThere(source)])).toEqual([false, false])
  })
})

async function took<T>(asked: Promise<T>): Promise<{ found: T; ms: number }> {
  const began = performance.now()
  return { found: await asked, ms: performance.now() - began }
}
