/**
 * An authorization server, written from RFC 6749, 6819 and 8693: it rotates refresh tokens, believes no
 * token that it cannot verify, and goes wrong in every way that is asked of it.
 */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { createLocalJWKSet, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import type { JsonObject } from '../../src/domain/json.ts'
import { anUpstream, type Seen } from '../lines/upstream.ts'

/** What it does instead of answering. `lost`: all of it, but for the answer. */
export type Wrong = 'lost' | 'broken' | 'redirects' | 'babbles' | 'endless' | 'refuses' | 'no token'

export interface AuthorizationServer {
  readonly tokenUrl: string
  /** Each question, as it came. */
  readonly asked: URLSearchParams[]
  /** Whatever it gave, and may not be told. */
  readonly secrets: Set<string>
  /** What it was told of each lease that it exchanged a token for. */
  readonly subjects: JWTPayload[]
  expiresIn: number
  /** Whether the refresh token before the last one is taken once more, or ends all there is. */
  isPatient: boolean
  wrong: Wrong | null
  /** Resolves before it answers, and after it has done what it was asked. */
  before: () => Promise<unknown>
  /** Whether an API would take it. */
  takes(authorization: string | undefined): boolean
  /** The first refresh token of a grant, as a person gets it from a page. */
  grant(): string
  /** What it says to every question, in place of its own answer. */
  instead: JsonObject | null
  /** Every access token there is, taken back. */
  withdraw(): void
  /** Every grant, too: no refresh token is taken any more. */
  revoke(): void
}

export interface Believing {
  /** Of whoever signs subject tokens. */
  readonly jwks: () => Promise<JSONWebKeySet>
  readonly issuer: string
  readonly audience: string
}

export const CLIENT = { id: 'the client', secret: 'sesame-of-the-client/+' } as const
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

export async function anAuthorizationServer(
  believing?: Believing,
  secretOf: () => string = () => CLIENT.secret,
): Promise<AuthorizationServer> {
  const upstream = await anUpstream()
  const at = `http://127.0.0.1:${String(upstream.port)}`
  const grants = new Map<string, { last: string; before: string | null }>()
  const live = new Set<string>()
  const used = new Set<string>()
  const some = () => {
    const token = randomBytes(24).toString('base64url')
    server.secrets.add(token)
    return token
  }
  const given = (more: JsonObject = {}): JsonObject => {
    const token = some()
    live.add(token)
    return { access_token: token, token_type: 'Bearer', expires_in: server.expiresIn, ...more }
  }

  function refreshed(token: string | null): JsonObject {
    for (const [id, grant] of grants) {
      if (token !== grant.last && token !== grant.before) continue
      // RFC 6819 §5.2.2.3: whoever comes with an older one may have stolen it.
      if (token === grant.before && !server.isPatient) {
        grants.delete(id)
        break
      }
      if (token === grant.last) grants.set(id, { last: some(), before: grant.last })
      return given({ refresh_token: grants.get(id)?.last ?? '' })
    }
    throw new Refusal('invalid_grant')
  }

  async function exchanged(form: URLSearchParams): Promise<JsonObject> {
    if (believing === undefined) throw new Refusal('unsupported_grant_type')
    const { issuer, audience, jwks } = believing
    const isOurs = form.get('subject_token_type') === `${TOKEN_TYPE}:jwt`
    const keys = createLocalJWKSet(await jwks())
    const { payload } = await jwtVerify(form.get('subject_token') ?? '', keys, {
      ...{ issuer, audience, typ: 'JWT', maxTokenAge: 60, clockTolerance: 2 },
      requiredClaims: ['sub', 'jti', 'exp', 'iat', 'act'],
    }).catch(() => {
      throw new Refusal('invalid_grant')
    })
    if (!isOurs || used.has(payload.jti ?? '')) throw new Refusal('invalid_grant')
    used.add(payload.jti ?? '')
    server.subjects.push(payload)
    return given({ issued_token_type: `${TOKEN_TYPE}:access_token` })
  }

  async function answerTo(seen: Seen, form: URLSearchParams): Promise<JsonObject> {
    if (!isClient(seen, form, secretOf())) throw new Refusal('invalid_client', 401)
    switch (form.get('grant_type')) {
      case 'client_credentials':
        return given()
      case 'refresh_token':
        return refreshed(form.get('refresh_token'))
      case EXCHANGE:
        return await exchanged(form)
      default:
        throw new Refusal('unsupported_grant_type')
    }
  }

  upstream.answer = (seen, response) => {
    const form = new URLSearchParams(seen.body)
    server.asked.push(form)
    handle(seen, form, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error('it failed'))
    })
  }
  async function handle(seen: Seen, form: URLSearchParams, response: ServerResponse) {
    const { wrong } = server
    response.setHeader('Content-Type', 'application/json')
    if (wrong !== null && wrong !== 'lost' && wrong !== 'no token') {
      await server.before()
      goWrong(wrong, response)
      return
    }
    try {
      const answer = server.instead ?? (await answerTo(seen, form))
      await server.before()
      if (wrong === 'lost') response.destroy()
      else response.end(JSON.stringify(wrong === 'no token' ? unusable(answer) : answer))
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      await server.before()
      response.writeHead(error.status).end(JSON.stringify({ error: error.message }))
    }
  }

  const server: AuthorizationServer = {
    ...{ tokenUrl: `${at}/token`, asked: [], secrets: new Set(), subjects: [] },
    ...{ expiresIn: 3600, isPatient: false, wrong: null, instead: null },
    before: () => Promise.resolve(),
    takes: (authorization) => live.has((authorization ?? '').replace(/^Bearer /, '')),
    grant() {
      const token = some()
      grants.set(token, { last: token, before: null })
      return token
    },
    withdraw() {
      live.clear()
    },
    revoke() {
      live.clear()
      grants.clear()
    },
  }
  return server
}

class Refusal extends Error {
  readonly status: number
  constructor(code: string, status = 400) {
    super(code)
    this.status = status
  }
}

/** RFC 6749 §2.3.1, for both ways of showing a secret. */
function isClient({ headers }: Seen, form: URLSearchParams, secret: string): boolean {
  const escaped = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)
  const pair = Buffer.from(`${escaped(CLIENT.id)}:${escaped(secret)}`).toString('base64')
  const isBasic = headers.authorization === `Basic ${pair}` && !form.has('client_secret')
  return isBasic || (form.get('client_id') === CLIENT.id && form.get('client_secret') === secret)
}

const unusable = (answer: JsonObject): JsonObject => ({ ...answer, token_type: 'DPoP' })

function goWrong(wrong: Exclude<Wrong, 'lost' | 'no token'>, response: ServerResponse): void {
  switch (wrong) {
    case 'broken':
      response.writeHead(500).end('{"error":"server_error"}')
      break
    case 'redirects':
      response.writeHead(302, { location: 'http://127.0.0.1:9/token' }).end()
      break
    case 'babbles':
      response.end('access_token=abcdefghij')
      break
    case 'endless':
      response.end(`{"access_token":"${'x'.repeat(100_000)}","token_type":"Bearer"}`)
      break
    case 'refuses':
      response.writeHead(401).end('{"error":"invalid_client"}')
      break
  }
}
