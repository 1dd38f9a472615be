/** What a refusal must look like, wherever it comes from. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { isObject, parseTrusted } from '../../src/domain/json.ts'
import { type Answer, printable } from './wire.ts'

export interface Refusal {
  readonly status: number | readonly number[]
  readonly code?: string
  /** On /oauth/*, where it is another than `code`. */
  readonly error?: string
  readonly reason?: string
  /** Of a chain: what was wrong, at which depth, in which member. */
  readonly outcome?: string
  readonly hop?: number | null
  readonly field?: string
  /** The finer cause, in the operator's log alone. */
  readonly log?: string
}

const MEMBERS = ['type', 'title', 'status', 'detail', 'instance', 'request_id', 'code']
const OAUTH_MEMBERS = ['error', 'error_description', 'error_uri', 'code', 'request_id']
const INSIDE = /\n\s+at |node_modules|\.[jt]s:\d|\/src\/|select .* from|insert into|procura\.\w+_/i

/** G1: a problem, or OAuth's error; not kept by anybody; and nothing of the inside in it. */
export function checkRefusal(answer: Answer, refusal: Refusal): void {
  const { status, code, error, reason } = refusal
  const { body, headers, sent } = answer
  const text = printable(answer)
  const wanted = typeof status === 'number' ? [status] : status
  expect(wanted, `status ${String(answer.status)}: ${text}`).toContain(answer.status)
  const isOAuth = sent.path.startsWith('/oauth/') && !('type' in body)
  expect(Object.keys(body), text).toEqual(expect.arrayContaining(isOAuth ? OAUTH_MEMBERS : MEMBERS))
  if (code !== undefined) expect(body['code'], text).toBe(code)
  if (error !== undefined) expect(body['error'], text).toBe(error)
  if (reason !== undefined) expect(body['reason'], text).toBe(reason)
  for (const member of ['outcome', 'hop', 'field'] as const) {
    if (member in refusal) expect(body[member], text).toBe(refusal[member])
  }
  expect(headers.get('cache-control'), 'Cache-Control').toBe('no-store')
  expect(headers.get('x-request-id')).toBe(body['request_id'])
  expect(answer.text, 'the inside').not.toMatch(INSIDE)
  const isQuoted = signaturesIn(answer).some((secret) => answer.text.includes(secret))
  expect(isQuoted, 'a signature that was sent is told back').toBe(false)
}

/** What a person agreed to is kept as it was signed, for it opens nothing. */
const EVIDENCE = /"typ":"(?:consent|approval)\+jwt"/

/** The signatures of the tokens that came with a call: enough to know a token by. */
export function signaturesIn({ sent }: Pick<Answer, 'sent'>): string[] {
  const { headers = [], body = '' } = sent
  const texts = [...headers.map(([, value]) => value), Buffer.from(body).toString('latin1')]
  return [...texts.join(' ').matchAll(/(eyJ[\w-]+)\.[\w-]+\.([\w-]{40,})/g)]
    .filter(([, header = '']) => !EVIDENCE.test(Buffer.from(header, 'base64url').toString()))
    .map(([, , signature = '']) => signature)
}

/** The one line that the broker wrote of this call. */
export async function logLine(answer: Answer, stderr: () => string) {
  const id = answer.headers.get('x-request-id') ?? ''
  const deadline = performance.now() + 10_000
  for (;;) {
    const line = stderr()
      .split('\n')
      .findLast((text) => text.includes(`"${id}"`) && text.includes('"msg":"request"'))
    const fields = line === undefined ? null : parseTrusted(line)
    if (fields !== null && isObject(fields)) return fields
    if (performance.now() > deadline) throw new Error(`the log has no line of ${id}`)
    await pause(3)
  }
}
