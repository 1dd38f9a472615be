/** What is configured of an API that is called through the broker. Its secret is in the vault. */
import { z } from 'zod'
import { isTemplate } from '../../../domain/http-path.ts'
import { readRange } from '../../proxy/address.ts'
import { ClientCredentials, RefreshToken, TokenExchange } from './grants.ts'
import { isPlainUrl } from './plain-url.ts'

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const header = z.string().regex(/^[a-z][a-z0-9-]{0,62}$/, 'a header name in lower case')
const template = z.string().max(1000).refine(isTemplate, 'a path like /v1/issues/{number}')

/** Never the secret's place: what frames the message, or what our own callers are known by. */
const FRAMING = /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|cookie)$/
/** Told to nobody: cookies are the target's own, and the rest speaks of one connection. */
const UNTOLD =
  /^(set-cookie2?|cache-control|expires|pragma|procura-.*|x-request-id|x-content-type-options|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|www-authenticate|dpop-nonce|content-(length|encoding|security-policy.*)|strict-transport-security|access-control-.*)$/

/** Where the secret goes. For `basic` it is `user:password`, for `sigv4` the secret access key. */
const Itself = z.union([
  z.literal('bearer'),
  z.literal('basic'),
  z.strictObject({ header: header.refine((name) => !FRAMING.test(name), 'not this one') }),
  z.strictObject({ query: z.string().regex(/^[A-Za-z][A-Za-z0-9._-]{0,62}$/) }),
  z.strictObject({
    sigv4: z.strictObject({
      region: z.string().regex(/^[a-z0-9-]{1,40}$/),
      service: z.string().regex(/^[a-z0-9-]{1,40}$/),
      access_key_id: z.string().regex(/^[A-Za-z0-9]{4,128}$/),
    }),
  }),
])
export type Itself = z.infer<typeof Itself>

/** Or with what a token is asked for, which is sent in its place. */
const Inject = z.union([
  Itself,
  z.strictObject({ client_credentials: ClientCredentials }),
  z.strictObject({ refresh_token: RefreshToken }),
  z.strictObject({ token_exchange: TokenExchange }),
])
export type Inject = z.infer<typeof Inject>

export const Settings = z
  .strictObject({
    /** An origin, and a path that all paths are below. */
    base_url: z.url({ protocol: /^https?$/ }).refine(isPlainBase, 'an origin, and a plain path'),
    /** For http: loopback, and networks that encrypt by themselves. */
    insecure_http: z.boolean().default(false),
    /** What this secret is good for, whatever tools declare. */
    allow: z
      .array(
        z.strictObject({
          methods: z.array(z.enum(METHODS)).min(1),
          paths: z.array(template).min(1),
        }),
      )
      .min(1),
    inject: Inject,
    /** Of addresses that are not public, these: `10.1.0.0/16`, `127.0.0.1/32`. */
    private_addresses: z
      .array(z.string().refine((range) => readRange(range) !== null, 'a range like 10.1.0.0/16'))
      .default([]),
    /** PEM of the authority that signed the server's certificate; the system's where it is left out. */
    ca: z.string().optional(),
    /** Told to the agent, besides those that always are. */
    response_headers: z
      .array(header.refine((name) => !UNTOLD.test(name), 'it is never passed on'))
      .default([]),
    response_bytes_max: z.int().min(1).max(1_073_741_824).default(10_485_760),
    /** Until the head of its answer is there, the connection included. */
    timeout_ms: z.int().min(100).max(60_000).default(7500),
    /** Until the end of its answer. */
    total_ms: z.int().min(100).max(600_000).default(60_000),
  })
  .refine(
    ({ base_url, inject, insecure_http }) =>
      insecure_http ||
      [base_url, tokenUrlOf(inject) ?? base_url].every((url) => url.startsWith('https:')),
    'https, unless insecure_http says that this is meant',
  )
export type Settings = z.infer<typeof Settings>

/** Exactly one request, as the PDP signed it. */
export const Permissions = z.strictObject({
  method: z.enum(METHODS),
  template,
  path: z.string().min(1).max(8192),
  query: z.record(z.string(), z.string()),
  /** SHA-256 (base64url) of its canonical form; `null`: there is none. */
  body_sha256: z.string().length(43).nullable(),
  headers: z.record(header, z.string().max(200)),
})
export type Permissions = z.infer<typeof Permissions>

export type Grant =
  | ({ readonly kind: 'client_credentials' } & ClientCredentials)
  | ({ readonly kind: 'refresh_token' } & RefreshToken)
  | ({ readonly kind: 'token_exchange' } & TokenExchange)

/** With what a token is asked for that is sent. */
export function grantOf(inject: Exclude<Inject, Itself>): Grant {
  if ('refresh_token' in inject) return { kind: 'refresh_token', ...inject.refresh_token }
  if ('token_exchange' in inject) return { kind: 'token_exchange', ...inject.token_exchange }
  return { kind: 'client_credentials', ...inject.client_credentials }
}

export function isItself(inject: Inject): inject is Itself {
  const grants = ['client_credentials', 'refresh_token', 'token_exchange']
  return typeof inject !== 'object' || grants.every((grant) => !(grant in inject))
}

/** Where a token is asked for; `null` where the secret itself is sent. */
export const tokenUrlOf = (inject: Inject): string | null =>
  isItself(inject) ? null : grantOf(inject).token_url

function isPlainBase(text: string): boolean {
  const { pathname } = new URL(text)
  // As it was written: `URL` itself would tidy up what is not plain.
  const written = text.replace(/^[a-z]+:\/\/[^/?#]*/i, '')
  const path = pathname === '/' ? '/' : pathname
  return (
    isPlainUrl(text) && (written === '' || written === path) && (path === '/' || isPrefix(path))
  )
}

const isPrefix = (path: string) => isTemplate(path) && !path.includes('{')
