/** What a request must look like before anything is done for it: address, headers, body's wrapping. */
import type { Request } from 'express'
import { BrokerError, type ProblemCode } from '../domain/problems.ts'
import { pathOf } from './call.ts'

const URI_BYTES_MAX = 8 * 1024
const HEADER_BYTES_MAX = 16 * 1024
const HEADER_LINES_MAX = 100

/** Every path we serve is made of these: no escape is needed, so that none is accepted. */
const CANONICAL = /^\/(?:[A-Za-z0-9._~-]+(?:\/[A-Za-z0-9._~-]+)*)?$/
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/

/** @throws BrokerError `uri_too_long`, `headers_too_large`, `not_found` */
export function checkAddress(req: Request): void {
  if (Buffer.byteLength(req.originalUrl) > URI_BYTES_MAX) throw new BrokerError('uri_too_long')
  const { rawHeaders } = req
  let bytes = 0
  for (const text of rawHeaders) bytes += text.length + 2
  if (bytes > HEADER_BYTES_MAX || rawHeaders.length > 2 * HEADER_LINES_MAX) {
    throw new BrokerError('headers_too_large')
  }
  const path = pathOf(req)
  if (isProxied(path)) checkProxied(req.originalUrl, path)
  else if (!CANONICAL.test(path) || DOT_SEGMENT.test(path)) throw new BrokerError('not_found')
}

const PROXIED = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/]*)?\/v1\/proxy\/[^/]+\/./i
/** RFC 3986 §3.3, but for `;`: no part is empty. */
const BELOW = /^(?:\/(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+)+$/
const CONTROL = /%(?:[01][0-9a-f]|7f)/i

/** Whether it is below a lease, where the path is another's and may have escapes. */
export const isProxied = (path: string) => PROXIED.test(path)

/** Nobody in between may come to read another path than we do. */
function checkProxied(target: string, path: string): void {
  if (!path.startsWith('/')) throw new BrokerError('target_denied')
  if (CONTROL.test(target)) throw malformed('A control character is in the address')
  const isPlain = BELOW.test(path) && path.split('/').slice(1).every(isOnePart)
  if (!isPlain) throw new BrokerError('not_found')
}

function isOnePart(part: string): boolean {
  try {
    const text = decodeURIComponent(part)
    return !/^\.{1,2}$|[/\\]/.test(text)
  } catch {
    return false // Escapes that are no UTF-8.
  }
}

/** Headers that have one value. Of two, somebody in front of us may have read the other. */
const SINGLE: ReadonlyMap<string, ProblemCode> = new Map([
  ['authorization', 'invalid_token'],
  ['dpop', 'invalid_dpop_proof'],
  ['idempotency-key', 'malformed_request'],
  ['content-type', 'malformed_request'],
  ['content-encoding', 'malformed_request'],
  ['x-request-id', 'malformed_request'],
])

/** @throws BrokerError for a single-valued header that is there twice, and for what a query is not for */
export function checkOnce(req: Request): void {
  const seen = new Set<string>()
  for (let at = 0; at < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at]?.toLowerCase() ?? ''
    const code = SINGLE.get(name)
    if (code === undefined) continue
    if (seen.has(name)) {
      const message = `${name.replaceAll('-', '_')}_multiple`
      throw new BrokerError(code, { message, shown: { detail: `${name} is there twice` } })
    }
    seen.add(name)
  }
  checkQuery(req)
}

const CREDENTIALS = new Set([
  ...['access_token', 'token', 'id_token', 'session', 'authorization', 'dpop'],
  ...['client_assertion', 'client_secret', 'assertion', 'subject_token', 'actor_token', 'password'],
])

function checkQuery(req: Request): void {
  const query = req.originalUrl.slice(pathOf(req).length + 1)
  if (query === '') return
  const seen = new Set<string>()
  for (const name of new URLSearchParams(query).keys()) {
    if (seen.has(name)) throw malformed('A query parameter is there twice')
    if (CREDENTIALS.has(name)) throw malformed('A credential is never sent in the address')
    seen.add(name)
  }
}

const MEDIA = {
  json: /^application\/json *(?:; *charset="?utf-8"?)?$/i,
  form: /^application\/x-www-form-urlencoded *(?:; *charset="?utf-8"?)?$/i,
} as const

/** @throws BrokerError `unsupported_media_type`; on AuthZEN's routes a wrong type is `malformed_request` */
export function checkMedia(req: Request, type: keyof typeof MEDIA, isAuthzen: boolean): void {
  if (MEDIA[type].test(req.headers['content-type'] ?? '')) return
  if (isAuthzen) throw malformed('Content-Type must be application/json')
  throw new BrokerError('unsupported_media_type')
}

/** Nothing is inflated: a small body stays small. */
export function checkEncoding(req: Request): void {
  const encoding = req.headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new BrokerError('unsupported_media_type', {
      shown: { detail: 'Content-Encoding is not accepted' },
    })
  }
}

export const malformed = (detail: string) =>
  new BrokerError('malformed_request', { shown: { detail } })
