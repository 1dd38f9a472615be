import { describe, expect, it } from 'vitest'
import { type Answer, aFront, HEADERS, json, serving } from '../fakes/front.ts'
import { head, sendRaw } from '../fakes/raw.ts'

const explain = (body: string | Uint8Array, headers: Record<string, string> = {}) =>
  serving(aFront(), ({ call }) =>
    call('POST', '/v1/explain', {
      headers: { ...HEADERS.agent, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : Buffer.from(body),
    }),
  )
const asking = (args: string) => explain(`{"tool":"sql.query","arguments":${args}}`)
const codeOf = async (answer: Promise<Answer>) => {
  const { status, body } = await answer
  const code = typeof body['code'] === 'string' ? ` ${body['code']}` : ''
  return `${String(status)}${code}`
}

describe('a body', () => {
  it.each([
    ['[ARG-01] a member twice', '{"amount":1,"amount":1000}', '400 duplicate_key'],
    ['[ARG-02] a member twice, once escaped', '{"amount":1,"\\u0061mount":2}', '400 duplicate_key'],
    ['[ARG-03] __proto__', '{"__proto__":{"x":1}}', '400 malformed_request'],
    ['[ARG-04] a number too large', '{"a":9007199254740993}', '400 unsafe_number'],
    ['[ARG-04] a number beyond all', '{"a":1e400}', '400 unsafe_number'],
    ['[ARG-12] 33 levels', nested(32), '400 too_complex'],
    ['[ARG-12] 1,001 members', members(1001), '400 too_complex'],
    ['a comment', '{/* */}', '400 malformed_request'],
    ['a lone surrogate', '{"a":"\\ud800"}', '400 bad_encoding'],
  ])('is refused for %s', async (_what, args, expected) => {
    expect(await codeOf(asking('{}'))).toBe('200')
    expect(await codeOf(asking(args))).toBe(expected)
    expect(await codeOf(asking('{}'))).toBe('200')
  })

  it('[ARG-03] may have a member named constructor: it is only data', async () => {
    expect(await codeOf(asking('{"constructor":{"prototype":{"x":1}}}'))).toBe('200')
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  it.each([
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'bad_encoding'],
    ['a byte-order mark', Buffer.from('\ufeff{}'), 'bad_encoding'],
    ['trailing data', '{} {}', 'malformed_request'],
    ['an array', '[]', 'malformed_request'],
    ['nothing', '', 'malformed_request'],
  ])('[ARG-08] is refused for %s', async (_what, bytes, code) => {
    expect(await codeOf(explain(bytes))).toBe(`400 ${code}`)
  })

  it.each([
    ['a form', 'application/x-www-form-urlencoded'],
    ['text', 'text/plain'],
    ['JSON of another charset', 'application/json; charset=utf-16'],
    ['something like JSON', 'application/json-patch+json'],
  ])('[ARG-09] is refused as %s', async (_what, type) => {
    expect(await codeOf(explain('{}', { 'content-type': type }))).toBe('415 unsupported_media_type')
  })

  it('[ARG-09] is refused without a type', async () => {
    const headers = Object.entries(HEADERS.agent).map(([name, value]) => `${name}: ${value}`)
    const answer = await serving(aFront(), ({ port }) =>
      sendRaw(port, `${head('POST /v1/explain', [...headers, 'Content-Length: 2'])}{}`),
    )
    expect([answer.status, answer.body['code']]).toEqual([415, 'unsupported_media_type'])
  })

  it('[ARG-19] is never inflated', async () => {
    for (const encoding of ['gzip', 'br', 'identity, gzip']) {
      const answer = explain('{}', { 'content-encoding': encoding })
      expect(await codeOf(answer)).toBe('415 unsupported_media_type')
    }
  })

  it('[ARG-10] [ARG-11] is refused for members that are unknown or of another type, by name only', async () => {
    const secret = 'do-not-repeat-me'
    const { status, body, text } = await explain(
      JSON.stringify({
        tool: 5,
        arguments: null,
        ttl_seconds: 0,
        dry_run: secret,
        purpose: secret,
      }),
    )
    expect([status, body['code']]).toEqual([422, 'schema_violation'])
    const pointers = (body['errors'] as { pointer: string }[]).map(({ pointer }) => pointer)
    expect(pointers.sort()).toEqual(['/arguments', '/dry_run', '/purpose', '/tool', '/ttl_seconds'])
    expect(text).not.toContain(secret)
  })

  it('[DOS-02] of 100,000 levels is refused at once', async () => {
    const startedAt = performance.now()
    expect(await codeOf(asking(nested(100_000)))).toBe('400 too_complex')
    expect(performance.now() - startedAt).toBeLessThan(1000)
  })

  it('is read only once the caller is known', async () => {
    const answer = await serving(aFront(), ({ call }) =>
      call('POST', '/v1/explain', json({ authorization: 'DPoP other', dpop: 'proof' }, '{"a":')),
    )
    expect(answer.body['code']).toBe('invalid_token')
  })
})

describe('a body of more than 256 KiB', () => {
  const tooMuch = `{"tool":"sql.query","arguments":{"a":"${'x'.repeat(256 * 1024)}"}}`
  const start = ['Content-Type: application/json', 'Connection: keep-alive']

  it('[DOS-01] is refused when its length says so, and the connection closed', async () => {
    const answer = await serving(aFront(), ({ port }) => {
      const length = `Content-Length: ${String(tooMuch.length)}`
      return sendRaw(port, head('POST /v1/explain', [...start, length]) + tooMuch)
    })
    expect([answer.status, answer.body['code']]).toEqual([413, 'payload_too_large'])
    expect(answer.head.toLowerCase()).toContain('connection: close')
  })

  it('[DOS-01] is refused when it comes in chunks, and the connection closed', async () => {
    const size = tooMuch.length.toString(16)
    const chunked = [...start, 'Transfer-Encoding: chunked']
    const answer = await serving(aFront(), ({ port }) =>
      sendRaw(port, `${head('POST /v1/explain', chunked)}${size}\r\n${tooMuch}\r\n0\r\n\r\n`),
    )
    expect([answer.status, answer.body['code']]).toEqual([413, 'payload_too_large'])
    expect(answer.head.toLowerCase()).toContain('connection: close')
  })

  it('is taken up to the last byte', async () => {
    const most = `{"tool":"sql.query","arguments":{"a":"`
    const room = 256 * 1024 - most.length - 3
    const strings = 'x'.repeat(60_000)
    const filled = `${most}${strings}","b":"${strings}","c":"${strings}","d":"${strings}`
    const last = `","e":"`
    const rest = room - (filled.length - most.length) - last.length
    const exact = `${filled}${last}${'x'.repeat(rest)}"}}`
    expect(exact).toHaveLength(256 * 1024)
    expect(await codeOf(explain(exact))).toBe('200')
    expect(await codeOf(explain(`${exact} `))).toBe('413 payload_too_large')
  })

  it('is half as much at /oauth/*', async () => {
    const answer = await serving(aFront(), ({ call }) =>
      call('POST', '/oauth/token', { body: new URLSearchParams({ a: 'x'.repeat(128 * 1024) }) }),
    )
    expect([answer.status, answer.body['error']]).toEqual([413, 'invalid_request'])
  })
})

function nested(levels: number): string {
  return `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`
}

function members(count: number): string {
  return `{${Array.from({ length: count }, (_, at) => `"m${String(at)}":0`).join()}}`
}
