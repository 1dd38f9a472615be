/** One question to a token endpoint (RFC 6749 §3.2), and what its answer is good for. */
import type { IncomingMessage } from 'node:http'
import { isObject, type JsonObject, parseTrusted } from '../../domain/json.ts'
import { type Progress, send } from './call.ts'
import type { Pinned } from './resolve.ts'

const ANSWER_BYTES_MAX = 65_536
/** RFC 6750 §2.1: one that can be in a header. Shorter ones would be found in answers by chance. */
const TOKEN = /^[!-~]{8,8192}$/
/** RFC 6749 A.17, as long as there is room for it in an answer. */
const REFRESH_TOKEN = /^[ -~]{8,}$/
const SECONDS_MAX = 86_400
/** RFC 6749 §5.2, RFC 8693 §2.2.2: of what it says, only one of these is repeated. */
const ERRORS = new Set([
  ...['invalid_request', 'invalid_client', 'invalid_grant', 'unauthorized_client'],
  ...['unsupported_grant_type', 'invalid_scope', 'invalid_target'],
])

export interface TokenEndpoint {
  readonly url: URL
  readonly pinned: Pinned
  readonly ca: string | undefined
}

export interface Client {
  readonly id: string
  readonly secret: string | null
  /** How it shows its secret: RFC 6749 §2.3.1. */
  readonly by: 'basic' | 'post' | 'none'
}

export interface Question {
  readonly client: Client
  /** The grant. */
  readonly form: Readonly<Record<string, string | undefined>>
}

export interface Granted {
  /** `null`: none that can be used. */
  readonly token: string | null
  readonly refreshToken: string | null
  /** One came, and cannot be one. */
  readonly isRefreshTokenUnfit: boolean
  readonly expiresInSeconds: number | null
}

/** What became of what it was asked with: still good; perhaps used up; not taken any more. */
export type Effect = 'none' | 'unknown' | 'over'

/** No answer that could be used. Of its words, at most an error code that is in a standard is in here. */
export class NoToken extends Error {
  override readonly name = 'NoToken'
  readonly effect: Effect
  constructor(message: string, effect: Effect, options?: ErrorOptions) {
    super(message, options)
    this.effect = effect
  }
}

/** @throws NoToken */
export async function askForToken(
  endpoint: TokenEndpoint,
  question: Question,
  signal: AbortSignal,
): Promise<Granted> {
  const progress: Progress = { isSent: false }
  try {
    const answer = await send(outgoingOf(endpoint, question), progress, signal)
    try {
      return await grantedIn(answer, question)
    } finally {
      answer.destroy()
    }
  } catch (cause) {
    if (cause instanceof NoToken) throw cause
    const effect = progress.isSent ? 'unknown' : 'none'
    throw new NoToken('the token endpoint did not answer', effect, { cause })
  }
}

/** What the client is known by, where that is not the secret itself: it must not come back either. */
export const pairOf = ({ id, secret }: Client) =>
  Buffer.from(`${formEscaped(id)}:${formEscaped(secret ?? '')}`).toString('base64')

function outgoingOf({ url, pinned, ca }: TokenEndpoint, { client, form: grant }: Question) {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(grant)) if (value !== undefined) form.set(name, value)
  if (client.by !== 'basic') form.set('client_id', client.id)
  if (client.by === 'post') form.set('client_secret', client.secret ?? '')
  const body = form.toString()
  const headers = {
    ...(client.by === 'basic' ? { authorization: `Basic ${pairOf(client)}` } : {}),
    ...{ host: url.host, accept: 'application/json', 'accept-encoding': 'identity' },
    'content-type': 'application/x-www-form-urlencoded',
    ...{ 'content-length': String(Buffer.byteLength(body)), 'user-agent': 'procura' },
  }
  return { base: url, pinned, ca, method: 'POST', target: url.pathname, headers, body }
}

/** RFC 6749 §2.3.1: both are form-encoded before they become a pair. */
const formEscaped = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)

async function grantedIn(answer: IncomingMessage, question: Question): Promise<Granted> {
  if (answer.statusCode !== 200) throw await refusalIn(answer, question)
  const {
    access_token: token,
    token_type: type,
    refresh_token: told,
    expires_in: seconds,
  } = await objectIn(answer)
  const refreshToken = typeof told === 'string' && REFRESH_TOKEN.test(told) ? told : null
  const isNone = told === undefined || told === null || told === ''
  const isBearer = typeof type === 'string' && type.toLowerCase() === 'bearer'
  return {
    token: isBearer && isToken(token) ? token : null,
    ...{ refreshToken, isRefreshTokenUnfit: refreshToken === null && !isNone },
    expiresInSeconds: secondsOf(seconds),
  }
}

async function refusalIn(answer: IncomingMessage, { form }: Question): Promise<NoToken> {
  const { statusCode: status = 0 } = answer
  if (status < 400 || status >= 500) {
    // What redirects has done nothing; what broke may have, and so may what says yes in another way.
    const isElsewhere = status >= 300 && status < 400
    return new NoToken('the token endpoint failed', isElsewhere ? 'none' : 'unknown')
  }
  const told = await objectIn(answer).catch((): JsonObject => ({}))
  const error = typeof told['error'] === 'string' && ERRORS.has(told['error']) ? told['error'] : ''
  const isOver = error === 'invalid_grant' && form['grant_type'] === 'refresh_token'
  return new NoToken(
    `the token endpoint refused${error === '' ? '' : `: ${error}`}`,
    isOver ? 'over' : 'none',
  )
}

const isToken = (value: unknown): value is string => typeof value === 'string' && TOKEN.test(value)

/** Some servers write it as text. */
function secondsOf(value: unknown): number | null {
  const isText = typeof value === 'string' && /^\d{1,9}$/.test(value)
  if (!isText && typeof value !== 'number') return null
  return Math.min(Math.max(Math.floor(Number(value)), 0), SECONDS_MAX)
}

/**
 * Read loosely: what else is in there is the server's own, and to refuse all of it for that would lose
 * the refresh token.
 */
async function objectIn(answer: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > ANSWER_BYTES_MAX) {
      throw new NoToken('the answer of the token endpoint is too large', 'unknown')
    }
    chunks.push(chunk)
  }
  const value = jsonIn(Buffer.concat(chunks))
  if (!isObject(value)) throw new NoToken('the token endpoint did not answer in JSON', 'unknown')
  return value
}

/** Without the error: it may quote what it could not read. */
function jsonIn(octets: Buffer) {
  try {
    return parseTrusted(new TextDecoder().decode(octets))
  } catch {
    return undefined
  }
}
