/** A target that takes tokens: one is asked for, for each call, with a secret that goes to nobody else. */
import { randomBytes } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import {
  brokersFor,
  GET,
  LOOPBACK,
  outcomes,
  type ProxyWorld,
  READ,
  refused,
  valuesOf,
} from './proxied.ts'
import { anUpstream, echo, type Seen, type Upstream } from './upstream.ts'

let w: ProxyWorld
let upstream: Upstream
let issuer: Upstream
let canary: Upstream
let given: string[] = []

/** RFC 6749 §4.4, for both ways of showing a secret. */
function isClient({ headers, body }: Seen, api: string): boolean {
  const secret = w.secrets.get(api) ?? ''
  const form = new URLSearchParams(body)
  const formEscaped = new URLSearchParams({ '': secret }).toString().slice(1)
  const pair = Buffer.from(`the+client:${formEscaped}`).toString('base64')
  const isBasic = headers.authorization === `Basic ${pair}`
  const isPost = form.get('client_id') === 'the client' && form.get('client_secret') === secret
  return form.get('grant_type') === 'client_credentials' && (isBasic || isPost)
}

beforeAll(async () => {
  ;[upstream, issuer, canary] = [await anUpstream(), await anUpstream(), await anUpstream()]
  const at = (port: number, path = '') => `http://127.0.0.1:${String(port)}${path}`
  const common: JsonObject = { private_addresses: LOOPBACK, timeout_ms: 2000 }
  const client = { token_url: at(issuer.port, '/token'), client_id: 'the client' }
  const api = (more: JsonObject = {}): JsonObject => ({
    ...{ ...common, base_url: at(upstream.port) },
    inject: { client_credentials: { ...client, ...more } },
  })
  w = await brokersFor({
    api: api({ scope: 'things.read things.write', audience: 'https://api.example' }),
    posting: api({ authentication: 'post' }),
    far: api({ token_url: `http://169.254.169.254:${String(canary.port)}/token` }),
  })
}, 120_000)

beforeEach(() => {
  given = []
  upstream.answer = echo
  issuer.answer = (seen, response) => {
    const api = ['api', 'posting'].find((name) => isClient(seen, name))
    const token = randomBytes(24).toString('base64url')
    if (api !== undefined) given.push(token)
    response.setHeader('Content-Type', 'application/json')
    response.writeHead(api === undefined ? 401 : 200)
    response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 60 }))
  }
})

const reading = (api: string) => w.lease(w.agent, `${api}.read`, READ)

describe('a target that takes tokens', () => {
  it.each(['api', 'posting'])('is called with one of its own for each call: %s', async (api) => {
    for (let n = 1; n <= 2; n += 1) {
      expect((await w.call(w.agent, await reading(api), GET)).status).toBe(200)
      const last = upstream.seen.at(-1)
      expect(last && valuesOf(last, 'authorization')).toEqual([`Bearer ${String(given.at(-1))}`])
      expect(new Set(given).size).toBe(n)
    }
    const form = new URLSearchParams(issuer.seen.at(-1)?.body)
    const asked = api === 'api' ? ['things.read things.write', 'https://api.example'] : [null, null]
    expect([form.get('scope'), form.get('audience')]).toEqual(asked)
    expect(JSON.stringify(upstream.seen)).not.toContain(w.secrets.get(api))
  })

  it("withholds an answer with the token in it, and with the client's secret", async () => {
    for (const told of [() => given.at(-1), () => w.secrets.get('api')]) {
      upstream.answer = (_request, response) => response.end(`so: ${String(told())}`)
      const id = await reading('api')
      await refused(w.call(w.agent, id, GET), 502, 'downstream_failed')
      expect(await outcomes(w, id)).toEqual([['occurred', '2xx', 'secret_reflected']])
    }
  })

  it.each([
    ['refuses', 401, '{"error":"invalid_client"}'],
    ['gives nothing', 200, '{}'],
    ['gives a token of another type', 200, '{"access_token":"abcdefghij","token_type":"DPoP"}'],
    [
      'gives a token of two lines',
      200,
      '{"access_token":"abcdefghij\\r\\nX: y","token_type":"bearer"}',
    ],
    ['does not speak JSON', 200, 'access_token=abcdefghij'],
    ['says too much', 200, `{"access_token":"${'x'.repeat(70_000)}","token_type":"bearer"}`],
    ['redirects', 307, ''],
  ])('is not called where the token endpoint %s', async (_what, status, text) => {
    issuer.answer = (_seen, response) => {
      const location = `http://127.0.0.1:${String(canary.port)}/token`
      response.writeHead(status, { location }).end(text)
    }
    const from = upstream.seen.length
    const id = await reading('api')
    await refused(w.call(w.agent, id, GET), 502, 'downstream_failed')
    expect([upstream.seen.length, canary.connections()]).toEqual([from, 0])
    expect(await outcomes(w, id)).toEqual([['none', undefined, 'downstream_failed']])
  })

  it('is not called where the token endpoint is silent, or not where it may be', async () => {
    issuer.answer = () => undefined
    const id = await reading('api')
    await refused(w.call(w.agent, id, GET), 504, 'downstream_timeout')
    expect(await outcomes(w, id)).toEqual([['none', undefined, 'downstream_timeout']])
    const far = await reading('far')
    await refused(w.call(w.agent, far, GET), 403, 'target_denied')
    expect(await w.stateOf(w.agent, far)).toBe('active')
    expect(canary.connections()).toBe(0)
  })
})
