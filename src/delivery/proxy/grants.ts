/** A grant, and the stored secret of its target → what the token endpoint is asked. */
import { JsonError, readJson } from '../../domain/json.ts'
import type { ClientCredentials, RefreshToken, TokenExchange } from '../connectors/http/grants.ts'
import type { Question } from './token-endpoint.ts'

const JWT = 'urn:ietf:params:oauth:token-type:jwt'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** RFC 6749 §4.4. */
export function byCredentials(grant: ClientCredentials, secret: string): Question {
  const { scope, audience, client_id: id, authentication: by } = grant
  const form = { grant_type: 'client_credentials', scope, audience }
  return { client: { id, secret, by }, form }
}

/** RFC 8693 §2.1. @param subject the token that the broker has signed */
export function byExchange(grant: TokenExchange, secret: string, subject: string): Question {
  const { scope, audience, resource, client_id: id, authentication: by } = grant
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    ...{ subject_token: subject, subject_token_type: JWT, requested_token_type: ACCESS_TOKEN },
    ...{ audience, resource, scope },
  }
  return { client: { id, secret, by }, form }
}

/**
 * RFC 6749 §6.
 *
 * @param current the refresh token that came since; `null`: the stored one is it
 * @throws Error when the stored secret is not what it has to be; it does not say what it is
 */
export function byRefreshToken(
  grant: RefreshToken,
  secret: string,
  current: string | null,
): Question & { readonly refreshToken: string } {
  const { clientSecret, refreshToken: first } = storedIn(secret, grant.authentication)
  const refreshToken = current ?? first
  const { scope, client_id: id, authentication: by } = grant
  const form = { grant_type: 'refresh_token', refresh_token: refreshToken, scope }
  return { client: { id, secret: clientSecret, by }, form, refreshToken }
}

/** `{"client_secret": …, "refresh_token": …}`, without the first where the client has none. */
export function storedIn(secret: string, by: RefreshToken['authentication']) {
  const {
    client_secret: clientSecret = null,
    refresh_token: refreshToken,
    ...others
  } = read(secret)
  const isShown = typeof clientSecret === 'string' && clientSecret !== ''
  const isWhole = by === 'none' ? clientSecret === null : isShown
  if (!isWhole || typeof refreshToken !== 'string' || refreshToken.length < 8) throw unfit()
  if (Object.keys(others).length > 0) throw unfit()
  return { clientSecret: isShown ? clientSecret : null, refreshToken }
}

function read(secret: string) {
  try {
    return readJson(Buffer.from(secret))
  } catch (error) {
    // Without it: it may quote what it could not read.
    if (error instanceof JsonError) throw unfit()
    throw error
  }
}

const unfit = () =>
  new TypeError('the secret of the target is not {"client_secret": …, "refresh_token": …}')
