/** From why a token was not accepted, which is for the log, to what its bearer is told: that it was not. */
import { JwsError } from '../domain/jws.ts'
import { BrokerError, type Shown } from '../domain/problems.ts'

/** Runs a check; a `JwsError` from it becomes this problem, whose message alone says why. */
export async function refusing<T>(
  code: 'invalid_token' | 'invalid_client',
  check: () => T | Promise<T>,
): Promise<T> {
  try {
    return await check()
  } catch (error) {
    if (!(error instanceof JwsError)) throw error
    throw new BrokerError(code, { cause: error, message: error.message })
  }
}

/** An OAuth error with a name of its own; `code` is the finer one. */
export function oauthError(error: string, code = error, shown: Shown = {}): BrokerError {
  const row = error === 'invalid_client' ? 'invalid_client' : 'malformed_request'
  return new BrokerError(row, { message: code, shown: { ...shown, oauth: { error, code } } })
}

/** The credentials of one `Authorization` header of this scheme, `null` where there is none such. */
export function credentialsIn(
  authorization: string | null,
  scheme: 'DPoP' | 'Bearer',
): string | null {
  const [, named, credentials] = /^(\w+) ([A-Za-z0-9._~+/-]+=*)$/.exec(authorization ?? '') ?? []
  return named?.toLowerCase() === scheme.toLowerCase() ? (credentials ?? null) : null
}
