/** Where the secret goes in: last, after all that a caller or a declaration had a say in. */
import type { Secret } from '../../domain/secret.ts'
import { escaped } from '../../domain/http-path.ts'
import {
  type Grant,
  grantOf,
  type Inject,
  isItself,
  type Itself,
} from '../connectors/http/settings.ts'
import { createScanner, type Scanner } from './scan.ts'
import { signed, type ToSign } from './sigv4.ts'
import type { Token } from './tokens.ts'

/** Shorter ones would be found in answers by chance. */
const LENGTH_MIN = 8

export interface Injected {
  readonly headers: Readonly<Record<string, string>>
  /** A parameter, escaped; `null`: none. */
  readonly query: string | null
  /** Finds what was injected in what comes back. */
  readonly scanner: Scanner
  /** The target does not take it. Never throws. */
  readonly notTaken?: () => Promise<void>
}

/** What a secret may need to be put in. */
export interface Injecting {
  /** What else will be sent, for secrets that sign it. */
  readonly request: ToSign
  readonly now: Date
  /** What is sent in place of the secret, where it is for getting that. */
  readonly tokenFor: (grant: Grant, secret: string) => Promise<Token>
}

/** @throws Error when the secret cannot be sent that way, or got no token; it does not say what it is */
export async function injected(
  inject: Inject,
  secret: Secret,
  { request, now, tokenFor }: Injecting,
): Promise<Injected> {
  if (isItself(inject)) return injectedItself(inject, secret, request, now)
  const { token, others, notTaken } = await tokenFor(grantOf(inject), secret.reveal())
  const scanner = createScanner([token, ...others])
  return { headers: { authorization: `Bearer ${token}` }, query: null, scanner, notTaken }
}

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
