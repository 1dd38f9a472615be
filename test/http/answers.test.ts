import { describe, expect, it } from 'vitest'
import { unavailable } from '../../src/domain/problems.ts'
import { type Answer, aFront, HEADERS, ISSUER, json, serving } from '../fakes/front.ts'
import { PASSWORD } from '../fakes/front-parts.ts'
import { IDS } from '../fakes/settled.ts'

const A_STRING: unknown = expect.any(String)
const A_NUMBER: unknown = expect.any(Number)

const request = (tool: string, headers: Record<string, string> = {}): Promise<Answer> =>
  serving(aFront(), ({ call }) =>
    call(
      'POST',
      '/v1/credentials',
      json({ ...HEADERS.agent, ...headers }, { tool, arguments: {} }),
    ),
  )

describe('a refusal', () => {
  const refusals: [what: string, answer: () => Promise<Answer>, status: number][] = [
    ['before anybody is known', () => request('sql.query', { authorization: 'DPoP x' }), 401],
    ['by policy', () => request('deny.always'), 403],
    ['of what could not be decided', () => request('deny.unclear'), 403],
    ['while the ledger is down', () => request('ledger.down'), 503],
    ['by our own mistake', () => request('broken'), 500],
  ]

  it.each(refusals)(
    '%s is a problem document, and leaks nothing [G1]',
    async (_what, answer, is) => {
      const { status, headers, body, text } = await answer()
      expect(status).toBe(is)
      expect(headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
      expect(headers.get('cache-control')).toBe('no-store')
      expect(body).toMatchObject({
        type: `${ISSUER}/problems/${String(body['code'])}`,
        ...{ title: A_STRING, status, detail: A_STRING },
        instance: `urn:procura:request:${String(body['request_id'])}`,
        ...{ request_id: headers.get('x-request-id'), code: A_STRING },
      })
      expect(text).not.toMatch(new RegExp(`select|${PASSWORD}|/srv|at .*\\.ts|Error:`))
    },
  )

  it('to an agent says what to do in one sentence for a model; to a person it does not', async () => {
    expect((await request('deny.always')).body['agent_hint']).toMatch(/^You may not do this\./)
    const { body } = await serving(aFront(), ({ call }) => call('GET', '/v1/agents'))
    expect(body).not.toHaveProperty('agent_hint')
  })

  it('keeps denied, could not decide and down apart', async () => {
    const evaluationOf = async (tool: string) => (await request(tool)).body['evaluation']
    const evaluated = { status: 'evaluated', unavailable_input: null }
    expect(await evaluationOf('deny.always')).toEqual(evaluated)
    const unclear = { status: 'not_evaluated', unavailable_input: 'policy' }
    expect(await evaluationOf('deny.unclear')).toEqual(unclear)
    const down = await request('ledger.down')
    expect(down.body['evaluation']).toEqual({
      status: 'not_evaluated',
      unavailable_input: 'ledger',
    })
    expect(down.headers.get('retry-after')).toBe('2')
  })

  it('says how to authenticate, and where that is described', async () => {
    const agent = await request('sql.query', { dpop: 'without nonce' })
    expect(agent.body['code']).toBe('use_dpop_nonce')
    expect(agent.headers.get('www-authenticate')).toBe(
      `DPoP error="use_dpop_nonce", algs="ES256 Ed25519 EdDSA", resource_metadata="${ISSUER}/.well-known/oauth-protected-resource"`,
    )
    const person = await serving(aFront(), ({ call }) => call('GET', '/v1/agents'))
    expect(person.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
  })

  it('is counted with whoever was recognised, unless it was decided', async () => {
    const front = aFront()
    await serving(front, async ({ call }) => {
      await call(
        'POST',
        '/v1/credentials',
        json(HEADERS.agent, { tool: 'deny.always', arguments: {} }),
      )
      await call('POST', '/v1/credentials', json(HEADERS.agent, { tool: 'broken', arguments: {} }))
      await call('GET', '/v1/agents')
      await call('GET', '/v1/agents', { headers: HEADERS.nobody })
      await call('POST', '/oauth/token', { body: new URLSearchParams({}) })
      await call('GET', '/wp-login.php')
    })
    expect(front.refusals).toEqual([
      'native invalid_token -',
      `native role_required ${IDS.sponsor.slice(0, -1)}5`,
      'oauth invalid_dpop_proof -',
    ])
  })
})

describe('every answer', () => {
  it('carries the name that the caller gave the request, or one of ours', async () => {
    const named = async (id: string) =>
      (await request('sql.query', { 'x-request-id': id })).headers.get('x-request-id')
    expect(await named('trace-1.a_b')).toBe('trace-1.a_b')
    for (const id of ['has space', 'ü', 'x'.repeat(129), '<script>']) {
      expect(await named(encodeURIComponent(id) === id ? id : encodeURIComponent(id))).not.toBe(id)
    }
    expect(await named('')).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('to an agent carries the nonce for the next proof', async () => {
    for (const tool of ['sql.query', 'ask.first', 'deny.always', 'broken', 'ledger.down']) {
      expect((await request(tool)).headers.get('dpop-nonce')).toBe('nonce-1')
    }
    await serving(aFront(), async ({ call }) => {
      const session = await call('POST', '/oauth/token', { body: new URLSearchParams({}) })
      expect(session.headers.get('dpop-nonce')).toBe('nonce-1')
      const huge = json(HEADERS.agent, 'x'.repeat(300_000))
      expect((await call('POST', '/v1/explain', huge)).headers.get('dpop-nonce')).toBe('nonce-1')
      const person = await call('GET', '/v1/agents', { headers: HEADERS.sponsor })
      expect(person.headers.get('dpop-nonce')).toBeNull()
    })
  })

  it('tells a browser to do nothing with it, and nobody what runs here', async () => {
    const { headers } = await request('sql.query')
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
    )
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('x-powered-by')).toBeNull()
    expect(headers.get('etag')).toBeNull()
  })

  it('of the three faces is stored nowhere; keys and metadata are, for a while', async () => {
    await serving(aFront(), async ({ call }) => {
      for (const path of ['/v1/agents', '/v1/ledger/checkpoint', '/oauth/token', '/access/v1/x']) {
        expect((await call('GET', path)).headers.get('cache-control'), path).toBe('no-store')
      }
      const keys = await call('GET', '/.well-known/jwks/sessions.json')
      expect(keys.headers.get('cache-control')).toBe('public, max-age=300')
    })
  })

  it('leaves one line in the log, of fixed fields and without a secret', async () => {
    const front = aFront()
    const body = json(HEADERS.agent, { tool: 'broken', arguments: { a: PASSWORD } })
    await serving(front, ({ call }) => call('POST', '/v1/credentials?x=y', body))
    expect(front.lines).toEqual([
      { request_id: A_STRING, code: 'internal_error', cause: 'TypeError' },
      {
        ...{ request_id: A_STRING, method: 'POST', route: '/v1/credentials' },
        ...{ status: 500, ms: A_NUMBER, code: 'internal_error', caller: IDS.agent },
      },
    ])
    expect(JSON.stringify(front.lines)).not.toContain(PASSWORD)
  })
})

describe('health', () => {
  it('tells that the process runs, and which part is not there', async () => {
    const failing = aFront({ health: { ready: () => Promise.resolve({ failing: 'database' }) } })
    await serving(failing, async ({ call }) => {
      expect(await call('GET', '/livez')).toMatchObject({ status: 200, body: { status: 'ok' } })
      const ready = await call('GET', '/readyz')
      expect(ready).toMatchObject({ status: 503, body: { status: 'failing', failing: 'database' } })
    })
  })

  it('is red, not broken, when it cannot be found out', async () => {
    const health = { ready: () => Promise.reject(unavailable('database')) }
    const { status } = await serving(aFront({ health }), ({ call }) => call('GET', '/readyz'))
    expect(status).toBe(503)
  })
})
