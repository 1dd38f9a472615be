/** Under which consent a session is, and how much of it. */
import { type Authority, narrow } from '../domain/authority.ts'
import type { Consent } from '../domain/consent.ts'
import { oauthError } from './refusals.ts'
import type { Wanted } from './token-form.ts'

/** A token has at most 8 KiB, three quarters of it content, some of that other claims. */
const AUTHORITY_BYTES_MAX = 5000

/**
 * The consent that was named, or the only active one.
 *
 * @param consents all of the agent's, whatever their status
 * @throws BrokerError `invalid_grant` or `invalid_request`, with a finer code
 */
export function chosen(consents: readonly Consent[], named: Wanted['consent']): Consent {
  const active = consents.filter(({ status }) => status === 'active')
  if (named === undefined) {
    const [only, ...others] = active
    if (only === undefined) throw oauthError('invalid_grant', 'no_consent')
    if (others.length > 0) throw oauthError('invalid_request', 'consent_ambiguous')
    return only
  }
  const consent = consents.find(({ id }) => id === named)
  if (consent === undefined) throw oauthError('invalid_grant', 'no_consent')
  if (consent.status !== 'active') throw oauthError('invalid_grant', 'consent_inactive')
  return consent
}

/** What is asked for, as a part of what the session rests on; what is not stated is inherited. */
export function narrowed({ scopes, purpose, constraints }: Authority, wanted: Wanted): Authority {
  const result = narrow({ scopes, purpose, constraints }, wanted)
  const error = 'invalid_authorization_details'
  if (!result.ok) throw oauthError(error, error, { outcome: result.outcome, field: result.field })
  const { authority } = result
  const said = { scopes: authority.scopes, constraints: authority.constraints }
  if (Buffer.byteLength(JSON.stringify(said)) > AUTHORITY_BYTES_MAX) {
    throw oauthError(error, error, {
      detail: 'No session can carry that much: narrow it',
    })
  }
  return authority
}
