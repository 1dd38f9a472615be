/** What a token endpoint is asked, as the standards write it. */
import { describe, expect, it } from 'vitest'
import {
  ClientCredentials,
  RefreshToken,
  TokenExchange,
} from '../../../src/delivery/connectors/http/grants.ts'
import { byCredentials, byExchange, byRefreshToken } from '../../../src/delivery/proxy/grants.ts'

const AT = { token_url: 'https://as.example/token', client_id: 'us' }
const STORED = { client_secret: 'canary-of-a-client', refresh_token: 'canary-of-a-token' }

describe('what is asked', () => {
  it('for a client is RFC 6749 §4.4', () => {
    const grant = ClientCredentials.parse({ ...AT, scope: 'a b' })
    expect(byCredentials(grant, 'the secret')).toEqual({
      client: { id: 'us', secret: 'the secret', by: 'basic' },
      form: { grant_type: 'client_credentials', scope: 'a b', audience: undefined },
    })
  })

  it('with a refresh token is RFC 6749 §6, and with the one that came since', () => {
    const grant = RefreshToken.parse({ ...AT, authentication: 'post' })
    for (const [current, shown] of [
      [null, STORED.refresh_token],
      ['the next one', 'the next one'],
    ] as const) {
      expect(byRefreshToken(grant, JSON.stringify(STORED), current)).toEqual({
        client: { id: 'us', secret: STORED.client_secret, by: 'post' },
        form: { grant_type: 'refresh_token', refresh_token: shown, scope: undefined },
        refreshToken: shown,
      })
    }
  })

  it('in exchange is RFC 8693 §2.1', () => {
    const grant = TokenExchange.parse({ ...AT, audience: 'api', resource: 'https://api.example' })
    expect(byExchange(grant, 'the secret', 'a.b.c').form).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      ...{ subject_token: 'a.b.c', subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' },
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      ...{ audience: 'api', resource: 'https://api.example', scope: undefined },
    })
  })

  it.each([
    ['no JSON', 'canary-password-of-the-target', 'basic'],
    ['without the client', { refresh_token: STORED.refresh_token }, 'basic'],
    ['with a client that has none', STORED, 'none'],
    ['without the token', { client_secret: STORED.client_secret }, 'post'],
    ['with a token that is none', { ...STORED, refresh_token: 7 }, 'basic'],
    ['with more', { ...STORED, more: 'canary' }, 'basic'],
  ])('is nothing with a stored secret %s, which is not told', (_what, secret, authentication) => {
    const grant = RefreshToken.parse({ ...AT, authentication })
    const text = typeof secret === 'string' ? secret : JSON.stringify(secret)
    const told = (() => {
      try {
        return byRefreshToken(grant, text, null)
      } catch (error) {
        return String(error)
      }
    })()
    expect(told).toContain('{"client_secret": …, "refresh_token": …}')
    expect(told).not.toContain('canary')
  })
})
