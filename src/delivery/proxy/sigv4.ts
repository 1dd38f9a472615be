/** AWS Signature Version 4: a secret that is never sent, under which one request is signed. */
import { createHmac } from 'node:crypto'
import { sha256Bytes } from '../../domain/digest.ts'
import { escaped } from '../../domain/http-path.ts'

/** A request as it will be sent, but for what signing adds. */
export interface ToSign {
  readonly method: string
  readonly path: string
  /** By name, as it will be sent; `''` without one. */
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

export interface SigningFor {
  readonly region: string
  readonly service: string
  readonly accessKeyId: string
}

export interface Signed {
  readonly headers: Readonly<Record<string, string>>
  /** Good for this very request for some minutes: it must not come back either. */
  readonly signature: string
}

/** What is signed beside what AWS demands; the rest may change on the way. */
const ALSO = new Set(['content-type', 'host'])

export function signed(
  request: ToSign,
  { region, service, accessKeyId }: SigningFor,
  secret: string,
  now: Date,
): Signed {
  const at = now.toISOString().replace(/[-:]|\.\d+/g, '')
  const payload = hex(request.body ?? '')
  const added = { 'x-amz-date': at, 'x-amz-content-sha256': payload }
  const named = Object.entries({ ...request.headers, ...added })
    .filter(([name]) => ALSO.has(name) || name in added)
    .sort(([one], [other]) => (one < other ? -1 : 1))
  const names = named.map(([name]) => name).join(';')
  const canonical = [
    ...[request.method, canonicalPath(request.path, service), canonicalQuery(request.query)],
    ...named.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`),
    ...['', names, payload],
  ].join('\n')

  const scope = [at.slice(0, 8), region, service, 'aws4_request']
  const text = ['AWS4-HMAC-SHA256', at, scope.join('/'), hex(canonical)].join('\n')
  const key = scope.reduce<string | Buffer>((step, part) => hmac(step, part), `AWS4${secret}`)
  const signature = hmac(key, text).toString('hex')
  const credential = `Credential=${accessKeyId}/${scope.join('/')}`
  const authorization = `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`
  return { headers: { ...added, authorization }, signature }
}

/** Escaped once more than it is sent; S3 alone takes it as it is meant. */
function canonicalPath(path: string, service: string): string {
  const parts = path.split('/')
  if (service === 's3') return parts.map((part) => escaped(decodeURIComponent(part))).join('/')
  return parts.map(escaped).join('/')
}

/** By name as it is escaped, which no other parameter has. */
function canonicalQuery(query: string): string {
  const nameOf = (pair: string) => pair.slice(0, pair.indexOf('='))
  return query
    .split('&')
    .sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
    .join('&')
}
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const hex = (text: string) => sha256Bytes(text).toString('hex')
