/** What targets do to a broker that calls them: where they are, who they are, and what they answer. */
import type { ServerResponse } from 'node:http'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import {
  type Apis,
  brokersFor,
  GET,
  LOOPBACK,
  outcomes,
  type ProxyWorld,
  READ,
  refused,
} from './proxied.ts'
import { aCertificate, anUpstream, aRawUpstream, echo, type Upstream } from './upstream.ts'

let w: ProxyWorld
let upstream: Upstream
let canary: Upstream
let secure: Upstream
let misnamed: Upstream
let raw: Awaited<ReturnType<typeof aRawUpstream>>
let rawAnswers: string[] = []

const ELSEWHERE = [
  ...['127.1', '2130706433', '0x7f.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', 'localhost'],
  ...['10.0.0.1', '169.254.169.254', '[fd00:ec2::254]', '[64:ff9b::a9fe:a9fe]'],
]

beforeAll(async () => {
  const [good, wrong] = [aCertificate('localhost'), aCertificate('elsewhere.example')]
  upstream = await anUpstream()
  canary = await anUpstream()
  secure = await anUpstream(good, 'localhost')
  misnamed = await anUpstream(wrong, 'localhost')
  raw = await aRawUpstream((socket) => {
    const answer = rawAnswers.shift() ?? ''
    if (answer.startsWith('HTTP/1.1 200')) socket.write(answer)
    else socket.end(answer)
  })
  const plain = (port: number, host = '127.0.0.1') => `http://${host}:${String(port)}`
  const at = (base_url: string, more: JsonObject = {}): JsonObject => ({
    ...{ base_url, private_addresses: LOOPBACK, timeout_ms: 2000 },
    ...more,
  })
  const tls = (port: number, more: JsonObject = {}) =>
    at(`https://localhost:${String(port)}`, { insecure_http: false, ...more })
  const apis: Apis = {
    ...{ api: at(plain(upstream.port), { response_headers: ['x-told'] }) },
    ...{ paired: at(plain(upstream.port), { inject: 'basic' }) },
    large: at(plain(upstream.port), { response_bytes_max: 64 * 1024 * 1024 }),
    ...{ raw: at(plain(raw.port)), tls: tls(secure.port, { ca: good.cert }) },
    ...{ 'tls-name': tls(misnamed.port, { ca: wrong.cert }), 'tls-self': tls(secure.port) },
    ...Object.fromEntries(
      ELSEWHERE.map((host, n) => [
        `far-${String(n)}`,
        { base_url: plain(canary.port, host), timeout_ms: 2000 },
      ]),
    ),
    // Not even where somebody says so.
    never: at(plain(canary.port, '169.254.169.254'), { private_addresses: ['169.254.0.0/16'] }),
  }
  w = await brokersFor(apis)
}, 120_000)

beforeEach(() => {
  upstream.answer = echo
})

const reading = (api: string) => w.lease(w.agent, `${api}.read`, READ)

async function called(api: string, headers: readonly (readonly [string, string])[] = []) {
  return await w.call(w.agent, await reading(api), GET, { headers })
}

describe('where a target is', () => {
  it.each([
    ...ELSEWHERE.map((host, n) => [host, `far-${String(n)}`] as const),
    ['where it is never', 'never'] as const,
  ])(
    '[PRX-04] is read as an address: at %s nothing is called, and nothing is spent',
    async (_host, api) => {
      const id = await reading(api)
      await refused(w.call(w.agent, id, GET), 403, 'target_denied')
      expect(canary.connections()).toBe(0)
      expect(await w.stateOf(w.agent, id)).toBe('active')
    },
  )

  it('[PRX-07] is shown by its certificate: of a wrong one, nothing is sent', async () => {
    expect((await called('tls')).status).toBe(200)
    const from = secure.seen.length
    for (const api of ['tls-name', 'tls-self']) {
      const id = await reading(api)
      await refused(w.call(w.agent, id, GET), 502, 'downstream_failed')
      expect(await outcomes(w, id)).toEqual([['none', undefined, 'downstream_failed']])
    }
    expect([secure.seen.length, misnamed.seen.length]).toEqual([from, 0])
    expect(misnamed.connections()).toBeGreaterThan(0)
  })

  it('[PRX-06] is not changed by a redirect: no other place is called', async () => {
    for (const [status, location] of [
      [302, `http://127.0.0.1:${String(canary.port)}/`],
      [307, '/v1/other'],
    ] as const) {
      upstream.answer = (_request, response) => {
        response.writeHead(status, { location }).end()
      }
      const from = upstream.seen.length
      const answer = await called('api')
      expect([answer.status, answer.headers.has('location')]).toEqual([status, false])
      expect(answer.headers.get('procura-upstream-status')).toBe(String(status))
      expect(upstream.seen.length).toBe(from + 1)
    }
    expect(canary.connections()).toBe(0)
  })
})

describe('what comes back', () => {
  it('[PRX-15] has only the headers that are told of each answer, and those that are configured', async () => {
    upstream.answer = (_request, response) => {
      response.setHeader('Set-Cookie', ['a=1', 'b=2']).setHeader('Location', '/x')
      response.setHeader('X-Told', 'yes').setHeader('X-Untold', 'no').setHeader('ETag', '"1"')
      response.setHeader('Cache-Control', 'public').setHeader('DPoP-Nonce', 'theirs')
      response.setHeader('WWW-Authenticate', 'Bearer').writeHead(401).end('their no')
    }
    const answer = await called('api')
    expect([answer.status, answer.text]).toEqual([401, 'their no'])
    const { headers } = answer
    expect([headers.get('x-told'), headers.get('etag')]).toEqual(['yes', '"1"'])
    for (const name of ['set-cookie', 'location', 'x-untold', 'www-authenticate']) {
      expect(headers.has(name), name).toBe(false)
    }
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('dpop-nonce')).not.toBe('theirs')
  })

  const forms: readonly (readonly [string, string, (header: string, secret: string) => string])[] =
    [
      ['raw', 'api', (header) => JSON.stringify({ authorization: header })],
      ['in base64, behind other octets', 'api', (h) => Buffer.from(`x${h}yz`).toString('base64')],
      ['URL-encoded', 'api', (_h, secret) => encodeURIComponent(secret)],
      ['in hex', 'api', (_h, secret) => Buffer.from(secret).toString('hex').toUpperCase()],
      ['as the pair of a Basic header', 'paired', (_h, secret) => secret],
      ['as a Basic header', 'paired', (header) => header],
      ['as the password of a Basic header', 'paired', (_h, secret) => secret.slice(5)],
    ]
  it.each(forms)('[PRX-14] is withheld with the secret in it, %s', async (_how, api, form) => {
    const secret = w.secrets.get(api) ?? ''
    const basic = `Basic ${Buffer.from(secret).toString('base64')}`
    let [sent, reflected] = ['', '']
    for (const where of ['body', 'header', 'pieces'] as const) {
      upstream.answer = ({ headers }, response) => {
        sent = headers.authorization ?? ''
        reflected = form(sent, secret)
        if (where === 'header') response.setHeader('X-Untold', reflected).end('fine')
        else if (where === 'body') response.end(`before ${reflected} after`)
        else inPieces(response, `before ${reflected} after`)
      }
      const id = await reading(api)
      const answer = await w.call(w.agent, id, GET)
      await refused(answer, 502, 'downstream_failed')
      expect(answer.body['reason']).toBe('secret_reflected')
      expect(sent).toBe(api === 'paired' ? basic : `Bearer ${secret}`)
      expect(reflected.length).toBeGreaterThan(20)
      expect(answer.text).not.toContain(reflected)
      expect(await outcomes(w, id)).toEqual([['occurred', '2xx', 'secret_reflected']])
    }
  })

  it('[PRX-14] is cut before the secret where it is late in a long answer', async () => {
    const secret = w.secrets.get('large') ?? ''
    upstream.answer = (_request, response) => {
      response.write('.'.repeat(200_000))
      response.end(`${secret} after`)
    }
    const id = await reading('large')
    const { status, isWhole, text } = await w.stream(w.agent, id, GET)
    expect([status, isWhole]).toEqual([200, false])
    expect(text.length).toBeGreaterThan(60_000)
    expect(text).toMatch(/^\.*$/)
    expect(await outcomes(w, id)).toEqual([['occurred', '2xx', 'secret_reflected']])
  })

  it('is refused where it is encoded, and could not be looked through', async () => {
    upstream.answer = (_request, response) => {
      response.setHeader('Content-Encoding', 'gzip').end('anything')
    }
    const answer = await called('api')
    await refused(answer, 502, 'downstream_failed')
    expect(answer.body['reason']).toBe('encoded')
    expect(upstream.seen.at(-1)?.headers['accept-encoding']).toBe('identity')
  })

  it("[PRX-12] is this call's alone: what a target sends unasked reaches nobody", async () => {
    const ok = (text: string) => `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n${text}`
    rawAnswers = [ok('third'), ok('first') + ok('stole'), ok('other')]
    // Whoever keeps a connection open for others is not answered on it again.
    expect((await called('raw')).text).toBe('third')
    const other = await w.anAgent({ terms: w.terms })
    const id = await w.lease(other, 'raw.read', READ)
    expect((await called('raw')).text).toBe('first')
    expect((await w.call(other, id, GET)).text).toBe('other')
    expect(raw.requests).toHaveLength(3)
  })

  it.each([
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
    'nonsense',
    '',
  ])('is no answer when it is %j: 502, and what it did is not known', async (text) => {
    rawAnswers = [text]
    const id = await reading('raw')
    await refused(w.call(w.agent, id, GET), 502, 'downstream_failed')
    expect(await outcomes(w, id)).toEqual([['unknown', undefined, 'downstream_failed']])
    expect(await w.stateOf(w.agent, id)).toBe('redeemed')
  })
})

/** An octet or two at a time, each of which may come by itself. */
function inPieces(response: ServerResponse, text: string): void {
  const pieces = text.match(/.{1,7}/gs) ?? []
  const next = () => {
    const piece = pieces.shift()
    if (piece === undefined) response.end()
    else response.write(piece, () => setImmediate(next))
  }
  next()
}
