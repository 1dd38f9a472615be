/** Where the secret goes in: last, after all that a caller or a declaration had a say in. */
import type { Secret } from '../../domain/secret.ts'
import { escaped } from '../../domain/http-path.ts'
import type { Inject } from '../connectors/http/settings.ts'
import { askForToken, type TokenEndpoint } from './client-credentials.ts'
import { createScanner, type Scanner } from './scan.ts'
import { signed, type ToSign } from './sigv4.ts'

/** Shorter ones would be found in answers by chance. */
const LENGTH_MIN = 8

export interface Injected {
  readonly headers: Readonly<Record<string, string>>
  /** A parameter, escaped; `null`: none. */
  readonly query: string | null
  /** Finds what was injected in what comes back. */
  readonly scanner: Scanner
}

/** What a secret may need to be put in. */
export interface Injecting {
  /** What else will be sent, for secrets that sign it. */
  readonly request: ToSign
  readonly now: Date
  /** Where a token is asked for; `null` where none is. */
  readonly tokenEndpoint: TokenEndpoint | null
  readonly signal: AbortSignal
}

/** @throws Error when the secret cannot be sent that way, or got no token; it does not say what it is */
export async function injected(
  inject: Inject,
  secret: Secret,
  { request, now, tokenEndpoint, signal }: Injecting,
): Promise<Injected> {
  if (typeof inject !== 'object' || !('client_credentials' in inject)) {
    return injectedItself(inject, secret, request, now)
  }
  const { client_id: clientId, scope, audience, authentication: by } = inject.client_credentials
  if (tokenEndpoint === null) throw new Error('nobody to ask for a token')
  const client = { clientId, scope, audience, by }
  const text = secret.reveal()
  const { token, shown } = await askForToken(tokenEndpoint, client, text, signal)
  const scanner = createScanner([token, text, ...shown])
  return { headers: { authorization: `Bearer ${token}` }, query: null, scanner }
}

type Itself = Exclude<Inject, { client_credentials: unknown }>

function injectedItself(inject: Itself, secret: Secret, request: ToSign, now: Date): Injected {
  const text = secret.reveal()
  if (text.length < LENGTH_MIN) throw new Error('the secret of the target is too short')
  if (inject === 'basic') return basic(text)
  if (!/^[!-~]+$/.test(text)) throw new Error('the secret of the target is not plain ASCII')
  if (inject === 'bearer') {
    const scanner = createScanner([text])
    return { headers: { authorization: `Bearer ${text}` }, query: null, scanner }
  }
  if ('sigv4' in inject) {
    const { region, service, access_key_id: accessKeyId } = inject.sigv4
    const { headers, signature } = signed(request, { region, service, accessKeyId }, text, now)
    return { headers, query: null, scanner: createScanner([text, signature]) }
  }
  const scanner = createScanner([text])
  if ('header' in inject) return { headers: { [inject.header]: text }, query: null, scanner }
  return { headers: {}, query: `${escaped(inject.query)}=${escaped(text)}`, scanner }
}

/** RFC 7617: the pair, what it is sent as, and the password alone must not come back. */
function basic(pair: string): Injected {
  const at = pair.indexOf(':')
  if (at < 0) throw new Error('the secret of the target is not user:password')
  const token = Buffer.from(pair).toString('base64')
  const password = pair.slice(at + 1)
  const texts = [pair, token, ...(password.length >= LENGTH_MIN ? [password] : [])]
  const headers = { authorization: `Basic ${token}` }
  return { headers, query: null, scanner: createScanner(texts) }
}
