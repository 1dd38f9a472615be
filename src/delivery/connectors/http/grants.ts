/** How tokens for an API are asked for, where it takes those of an authorization server. */
import { z } from 'zod'
import { isPlainUrl } from './plain-url.ts'

const audience = z.string().regex(/^[!-~]{1,500}$/)
/** How the client shows its secret: RFC 6749 §2.3.1. */
const authentication = z.enum(['basic', 'post']).default('basic')
const client = {
  token_url: z.url({ protocol: /^https?$/ }).refine(isPlainUrl, 'no user, query or fragment'),
  client_id: z.string().min(1).max(256),
  scope: z
    .string()
    .regex(/^[ -~]{1,1000}$/)
    .optional(),
}

/** RFC 6749 §4.4. Its secret is the client's. */
export const ClientCredentials = z.strictObject({
  ...{ ...client, authentication },
  audience: audience.optional(),
  /** Whether a token is kept until it ends, for the calls of all. */
  keep: z.boolean().default(false),
})
export type ClientCredentials = z.infer<typeof ClientCredentials>

/** RFC 6749 §6. Its secret is JSON: `refresh_token`, and the client's secret where it has one. */
export const RefreshToken = z.strictObject({
  ...client,
  authentication: z.enum(['basic', 'post', 'none']).default('basic'),
})
export type RefreshToken = z.infer<typeof RefreshToken>

/** RFC 8693, for a token that the broker signs about each lease. Its secret is the client's. */
export const TokenExchange = z.strictObject({
  ...{ ...client, authentication },
  audience: audience.optional(),
  resource: audience.optional(),
  /** Whom the broker's own token is for, where that is not the token endpoint. */
  subject_audience: audience.optional(),
})
export type TokenExchange = z.infer<typeof TokenExchange>
