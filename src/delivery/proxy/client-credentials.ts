/** OAuth 2.0 client credentials (RFC 6749 §4.4): a token for one call, asked for with a secret that stays. */
import type { IncomingMessage } from 'node:http'
import { JsonError, type JsonObject, readJson } from '../../domain/json.ts'
import { send } from './call.ts'
import type { Pinned } from './resolve.ts'

const ANSWER_BYTES_MAX = 65_536
const TOKEN = /^[!-~]{8,8192}$/

export interface ClientCredentials {
  readonly clientId: string
  readonly scope: string | undefined
  /** For servers that ask whom it is for (RFC 8707 calls it `resource`). */
  readonly audience: string | undefined
  /** How the client shows its secret: RFC 6749 §2.3.1. */
  readonly by: 'basic' | 'post'
}

export interface TokenEndpoint {
  readonly url: URL
  readonly pinned: Pinned
  readonly ca: string | undefined
}

/** No answer of the token endpoint that could be used. None of its words is in here. */
export class NoToken extends Error {
  override readonly name = 'NoToken'
}

/**
 * Asks anew each time, so that nothing is kept that opens anything.
 *
 * @throws NoToken, or what Node's client throws
 */
export async function askForToken(
  { url, pinned, ca }: TokenEndpoint,
  credentials: ClientCredentials,
  secret: string,
  signal: AbortSignal,
): Promise<{ readonly token: string; readonly shown: readonly string[] }> {
  const { headers: own, form, shown } = shownAs(credentials, secret)
  const body = form.toString()
  const headers = {
    ...own,
    ...{ host: url.host, accept: 'application/json', 'accept-encoding': 'identity' },
    'content-type': 'application/x-www-form-urlencoded',
    ...{ 'content-length': String(Buffer.byteLength(body)), 'user-agent': 'procura' },
  }
  const outgoing = {
    ...{ base: url, pinned, ca, method: 'POST' },
    target: url.pathname,
    headers,
    body,
  }
  const answer = await send(outgoing, { isSent: false }, signal)
  try {
    if (answer.statusCode !== 200) throw new NoToken('the token endpoint refused')
    return { token: tokenIn(await objectIn(answer)), shown }
  } finally {
    answer.destroy()
  }
}

function shownAs({ clientId, scope, audience, by }: ClientCredentials, secret: string) {
  const form = new URLSearchParams({ grant_type: 'client_credentials' })
  if (scope !== undefined) form.set('scope', scope)
  if (audience !== undefined) form.set('audience', audience)
  if (by === 'post') {
    form.set('client_id', clientId)
    form.set('client_secret', secret)
    return { headers: {}, form, shown: [] }
  }
  const pair = Buffer.from(`${formEscaped(clientId)}:${formEscaped(secret)}`).toString('base64')
  return { headers: { authorization: `Basic ${pair}` }, form, shown: [pair] }
}

/** RFC 6749 §2.3.1: both are form-encoded before they become a pair. */
const formEscaped = (text: string) => new URLSearchParams({ '': text }).toString().slice(1)

function tokenIn({ access_token: token, token_type: type }: JsonObject): string {
  const isBearer = typeof type === 'string' && type.toLowerCase() === 'bearer'
  if (!isBearer || typeof token !== 'string' || !TOKEN.test(token)) {
    throw new NoToken('the token endpoint gave no bearer token')
  }
  return token
}

async function objectIn(answer: IncomingMessage): Promise<JsonObject> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > ANSWER_BYTES_MAX) throw new NoToken('the answer of the token endpoint is too large')
    chunks.push(chunk)
  }
  try {
    return readJson(Buffer.concat(chunks))
  } catch (error) {
    if (error instanceof JsonError) throw new NoToken('the token endpoint did not answer in JSON')
    throw error
  }
}
