/**
 * A stand-in for the identity provider of a company, for trying things out: it listens on loopback
 * only, and gives anybody who asks on this machine a token for one of a handful of made-up people.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKey, importKey, type Key } from '../../client/key.ts'
import { type JsonObject, readJson } from '../../domain/json.ts'

/** Ana and Kim sponsor, Ben approves, Lee operates, Cleo audits. */
export const PEOPLE = {
  ana: { name: 'Ana', email: 'ana@example.com', roles: ['sponsor'], groups: ['analysts'] },
  ben: {
    ...{ name: 'Ben', email: 'ben@example.com', roles: ['approver'] },
    groups: ['dba-oncall', 'support-leads'],
  },
  kim: { name: 'Kim', email: 'kim@example.com', roles: ['sponsor'], groups: ['support', 'dba'] },
  lee: { name: 'Lee', email: 'lee@example.com', roles: ['operator', 'auditor'], groups: [] },
  cleo: { name: 'Cleo', email: 'cleo@example.com', roles: ['auditor'], groups: [] },
} as const
export type PersonName = keyof typeof PEOPLE
export const isPersonName = (name: string): name is PersonName => Object.hasOwn(PEOPLE, name)

/** What its tokens call it, wherever it listens: Ana is the same Ana after a restart. */
export const DEV_ISSUER = 'http://people.localhost'
const TOKEN_SECONDS = 600

export interface DevIssuer {
  /** Where it answers. */
  readonly url: string
  readonly jwks: { readonly keys: readonly JsonObject[] }
  token(person: PersonName, audience: string): string
  stop(): Promise<void>
}

/** @param port 0 lets the system choose */
export async function startDevIssuer({
  port,
  jwk,
}: {
  port: number
  jwk?: JsonObject
}): Promise<DevIssuer> {
  const key = jwk === undefined ? generateKey() : importKey(jwk)
  const jwks = { keys: [{ ...key.publicJwk, kid: key.jkt, alg: 'ES256', use: 'sig' }] }
  const server = createServer((req, res) => {
    answer(req, res, { key, jwks }).catch(() => {
      send(res, 500, { error: 'server_error' })
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve)
  })
  const { port: listening } = server.address() as AddressInfo
  return {
    url: `http://localhost:${String(listening)}`,
    jwks,
    token: (person, audience) => tokenFor(person, audience, key),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

interface Issuing {
  readonly key: Key
  readonly jwks: DevIssuer['jwks']
}

function tokenFor(person: PersonName, audience: string, key: Key): string {
  const now = Math.floor(Date.now() / 1000)
  const { name, email, roles, groups } = PEOPLE[person]
  const claims = {
    ...{ iss: DEV_ISSUER, sub: person, aud: audience },
    ...{ iat: now, auth_time: now, exp: now + TOKEN_SECONDS },
    ...{ name, email, roles: [...roles], groups: [...groups] },
  }
  return key.sign('JWT', claims, { kid: key.jkt })
}

async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  { key, jwks }: Issuing,
): Promise<void> {
  // A page elsewhere that a browser here shows must not get a token: it can name neither this host
  // nor send JSON without asking first.
  const host = (req.headers.host ?? '').replace(/:\d+$/, '')
  if (host !== 'localhost' && host !== '127.0.0.1') {
    send(res, 403, { error: 'access_denied' })
    return
  }
  if (req.method === 'GET' && req.url === '/jwks') {
    send(res, 200, { keys: [...jwks.keys] })
    return
  }
  if (req.method === 'POST' && req.url === '/token' && isJson(req)) {
    const { person, audience } = readJson(await bodyOf(req))
    if (typeof person === 'string' && isPersonName(person) && typeof audience === 'string') {
      const token = tokenFor(person, audience, key)
      send(res, 200, { access_token: token, token_type: 'Bearer', expires_in: TOKEN_SECONDS })
      return
    }
    const detail = `person is one of ${Object.keys(PEOPLE).join(', ')}; audience is the broker's issuer`
    send(res, 400, { error: 'invalid_request', error_description: detail })
    return
  }
  send(res, 404, { error: 'not_found', error_description: 'GET /jwks or POST /token (JSON)' })
}

const isJson = (req: IncomingMessage) =>
  (req.headers['content-type'] ?? '').startsWith('application/json')

async function bodyOf(req: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > 4096) throw new Error('too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function send(res: ServerResponse, status: number, body: JsonObject): void {
  res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  res.end(JSON.stringify(body))
}
