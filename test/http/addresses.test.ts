import { describe, expect, it } from 'vitest'
import { aFront, HEADERS, json, serving } from '../fakes/front.ts'
import { head, sendRaw } from '../fakes/raw.ts'
import { IDS } from '../fakes/settled.ts'

const raw = (line: string, headers: readonly string[] = []) =>
  serving(aFront(), ({ port }) => sendRaw(port, head(line, headers)))
const SPONSOR = `Authorization: ${HEADERS.sponsor.authorization}`
const AGENT = [`Authorization: ${HEADERS.agent.authorization}`, 'DPoP: proof']

describe('an address', () => {
  it.each([
    '//v1//agents',
    '/V1/agents',
    '/v1/Agents',
    '/v1/agents/',
    '/v1/agents%2f',
    '/v1%2fagents',
    '/v1/./agents',
    '/v1/x/../agents',
    '/v1/agents;x=y',
    '/v1/agents/%61gt_x',
    'http://127.0.0.1/v1/agents',
  ])('[POL-14] is another one, and is not found, written as %s', async (path) => {
    expect((await raw('GET /v1/agents', [SPONSOR])).status).toBe(200)
    const answer = await raw(`GET ${path}`, [SPONSOR])
    expect([answer.status, answer.body['code']]).toEqual([404, 'not_found'])
  })

  it('with a dot segment names nothing, not even something that wants credentials', async () => {
    expect((await raw('GET /v1/agents/x')).status).toBe(401)
    for (const path of ['/v1/agents/..', '/v1/agents/.', '/v1/../v1/agents']) {
      expect((await raw(`GET ${path}`)).status, path).toBe(404)
    }
  })

  it('with an id of a wrong form is the same 404 as an unknown id', async () => {
    const answers = []
    for (const id of [
      'agt_1',
      IDS.consent,
      `${IDS.agent.slice(0, -1)}z`,
      IDS.agent.toUpperCase(),
    ]) {
      const { status, body } = await raw(`GET /v1/agents/${id}`, [SPONSOR])
      answers.push({ status, ...body, request_id: '', instance: '' })
    }
    expect(new Set(answers.map((it) => JSON.stringify(it))).size).toBe(1)
    expect(answers[0]).toMatchObject({ status: 404, code: 'not_found' })
  })

  it('of more than 8 KiB is refused', async () => {
    const { status, body } = await raw(`GET /v1/agents?cursor=${'x'.repeat(8200)}`, [SPONSOR])
    expect([status, body['code']]).toEqual([414, 'uri_too_long'])
    const far = await raw(`GET /v1/agents?cursor=${'x'.repeat(60_000)}`)
    expect([far.status, far.body['code']]).toEqual([414, 'uri_too_long'])
  })

  it('never carries a credential', async () => {
    for (const name of ['access_token', 'client_assertion', 'token']) {
      const { status, body } = await raw(`GET /v1/agents?${name}=abc`, [SPONSOR])
      expect([status, body['code']]).toEqual([400, 'malformed_request'])
    }
  })

  it('has each parameter once, known, and in its range', async () => {
    const codeOf = async (query: string) =>
      (await raw(`GET /v1/agents?${query}`, [SPONSOR])).body['code']
    expect(await codeOf('limit=1&limit=2')).toBe('malformed_request')
    expect(await codeOf('limit=1&%6cimit=2')).toBe('malformed_request')
    for (const query of ['limit=-1', 'limit=0', 'limit=201', 'limit=1e2', 'limit=id;DROP', 'x=1']) {
      expect(await codeOf(query), `[ADM-04] ${query}`).toBe('schema_violation')
    }
    expect(await codeOf('limit=200')).toBeUndefined()
  })

  it('[DOS-10] with a thousand nested parameters is refused at once', async () => {
    const query = Array.from({ length: 700 }, (_, at) => `a[b][${String(at)}]`).join('&')
    const startedAt = performance.now()
    expect((await raw(`GET /v1/agents?${query}`, [SPONSOR])).status).toBe(422)
    expect(performance.now() - startedAt).toBeLessThan(500)
  })
})

describe('a method', () => {
  it('that a path does not have is 405, with those that it has', async () => {
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'DELETE']) {
      const answer = await raw(`${method} /v1/agents`, [SPONSOR])
      expect([answer.status, answer.body['code']]).toEqual([405, 'method_not_allowed'])
      expect(answer.head).toMatch(/^allow: GET, HEAD, POST\r$/im)
    }
  })

  it('[POL-15] is the one of the request line, whatever a header says', async () => {
    const override = ['X-HTTP-Method-Override: DELETE', 'X-Method-Override: DELETE']
    const { status, body } = await raw(`GET /v1/agents/${IDS.agent}`, [SPONSOR, ...override])
    expect([status, body['status']]).toEqual([200, 'active'])
  })

  it('HEAD is answered like GET, without a body', async () => {
    const { status, text } = await serving(aFront(), ({ call }) =>
      call('HEAD', '/v1/agents', { headers: HEADERS.sponsor }),
    )
    expect([status, text]).toEqual([200, ''])
  })
})

describe('a header', () => {
  const KEY = 'Idempotency-Key: k-1234567'
  it.each([
    ['GET /v1/agents', [SPONSOR, SPONSOR], '401 invalid_token'],
    [`GET /v1/approvals/${IDS.approval}`, [...AGENT, 'DPoP: proof'], '401 invalid_dpop_proof'],
    ['POST /v1/agents', [SPONSOR, KEY, KEY], '400 malformed_request'],
    ['GET /v1/agents', [SPONSOR, 'X-Request-ID: a', 'x-request-id: b'], '400 malformed_request'],
  ])('of one value is there once or refused: %s %j', async (line, headers, expected) => {
    const { status, body } = await raw(line, headers)
    expect(`${String(status)} ${String(body['code'])}`).toBe(expected)
  })

  it('a DPoP proof that is two joined by a comma is the same as two', async () => {
    const { status } = await raw(`GET /v1/approvals/${IDS.approval}`, [
      AGENT[0] ?? '',
      'DPoP: proof, proof',
    ])
    expect(status).toBe(401)
  })

  it('[DOS-04] may have any name; 17 KB of them are refused', async () => {
    expect((await raw('GET /v1/agents', [SPONSOR, '__proto__: x'])).status).toBe(200)
    const long = await raw('GET /v1/agents', [SPONSOR, `X-Long: ${'x'.repeat(17 * 1024)}`])
    expect([long.status, long.body['code']]).toEqual([431, 'headers_too_large'])
    const many = Array.from({ length: 101 }, (_, at) => `X-${String(at)}: x`)
    expect((await raw('GET /v1/agents', [SPONSOR, ...many])).status).toBe(431)
    const flood = await raw('GET /v1/agents', [`X-Long: ${'x'.repeat(40 * 1024)}`])
    expect([flood.status, flood.body['code']]).toEqual([431, 'headers_too_large'])
  })

  it('Idempotency-Key has 8 to 128 of its characters, bare or quoted', async () => {
    const keyed = async (key: string) => {
      const headers = { ...HEADERS.sponsor, 'idempotency-key': key }
      const agent = { name: 'desk', workload: { kind: 'spiffe', id: 'spiffe://example/a' } }
      return await serving(aFront(), ({ call }) => call('POST', '/v1/agents', json(headers, agent)))
    }
    for (const key of ['short', 'has space in it', 'x'.repeat(129), '"unbalanced']) {
      expect((await keyed(key)).body['code']).toBe('invalid_idempotency_key')
    }
    for (const key of ['long-enough', '"long-enough"']) expect((await keyed(key)).status).toBe(201)
  })
})
