import { describe, expect, it } from 'vitest'
import { BrokerError, type Shown, unavailable } from '../../src/domain/problems.ts'
import { aFront, ISSUER, serving } from '../fakes/front.ts'
import { IDS } from '../fakes/settled.ts'

const A_STRING: unknown = expect.any(String)

const TOKEN = { grant_type: 'client_credentials', client_assertion: 'desk' }
const ASKED = {
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: 'service-payments',
  token: 'live',
}
const type = { 'content-type': 'application/x-www-form-urlencoded' }
const post = (path: string, body: string, front = aFront()) =>
  serving(front, ({ call }) => call('POST', path, { headers: { ...type, dpop: 'proof' }, body }))
const form = (members: Record<string, string>) => new URLSearchParams(members).toString()

function refusing(error: BrokerError) {
  const front = aFront()
  const openSession = () => Promise.reject(error)
  return { ...front, identity: { ...front.identity, openSession } }
}

describe('POST /oauth/token', () => {
  it('gives a session bound to the key of the proof', async () => {
    const { status, body, headers } = await post('/oauth/token', form(TOKEN))
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(body).toEqual({
      ...{ access_token: 'session-desk', token_type: 'DPoP', expires_in: 600 },
      authorization_details: [{ type: 'agent_delegation', scopes: ['sql.query'], constraints: [] }],
      ...{ purpose: 'support', consent_id: IDS.consent, instance_id: IDS.instance },
    })
  })

  it.each([
    ['a parameter twice', 'grant_type=a&grant_type=b', 'malformed_request'],
    ['a parameter twice, once escaped', 'grant_type=a&gr%61nt_type=b', 'malformed_request'],
    ['bytes that are not UTF-8', 'grant_type=%ff', 'bad_encoding'],
    ['half an escape', 'grant_type=%4', 'bad_encoding'],
    ['a NUL', 'grant_type=%00', 'bad_encoding'],
  ])('refuses %s', async (_what, body, code) => {
    const answer = await post('/oauth/token', body)
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request', code } })
  })

  it('refuses JSON', async () => {
    const { status, body } = await serving(aFront(), ({ call }) =>
      call('POST', '/oauth/token', { headers: { 'content-type': 'application/json' }, body: '{}' }),
    )
    expect([status, body['error']]).toEqual([415, 'invalid_request'])
  })

  const own = (error: string, code = error): Shown => ({ oauth: { error, code } })
  it.each([
    [new BrokerError('use_dpop_nonce'), 400, 'use_dpop_nonce', 'use_dpop_nonce'],
    [new BrokerError('invalid_dpop_proof'), 400, 'invalid_dpop_proof', 'invalid_dpop_proof'],
    [new BrokerError('invalid_client'), 401, 'invalid_client', 'invalid_client'],
    [
      new BrokerError('invalid_client', {
        shown: own('invalid_client', 'assertion_bound_elsewhere'),
      }),
      ...([401, 'invalid_client', 'assertion_bound_elsewhere'] as const),
    ],
    [
      new BrokerError('malformed_request', { shown: own('invalid_grant', 'no_consent') }),
      ...([400, 'invalid_grant', 'no_consent'] as const),
    ],
    [
      new BrokerError('malformed_request', { shown: own('unsupported_grant_type') }),
      ...([400, 'unsupported_grant_type', 'unsupported_grant_type'] as const),
    ],
    [new BrokerError('access_denied'), 403, 'access_denied', 'access_denied'],
    [new BrokerError('policy_error'), 503, 'temporarily_unavailable', 'policy_error'],
    [unavailable('database'), 503, 'temporarily_unavailable', 'unavailable'],
    [new BrokerError('internal_error'), 500, 'server_error', 'internal_error'],
  ])('answers %s in OAuth words', async (error, status, word, code) => {
    const answer = await post('/oauth/token', form(TOKEN), refusing(error))
    expect(answer).toMatchObject({
      status,
      body: {
        ...{ error: word, code, error_uri: `${ISSUER}/problems/${code}` },
        ...{ error_description: A_STRING, request_id: A_STRING },
      },
    })
    expect(answer.headers.get('content-type')).toContain('application/json')
    expect(answer.headers.get('dpop-nonce')).toBe('nonce-1')
    const page = await serving(aFront(), ({ call }) => call('GET', `/problems/${code}`))
    expect(page.status).toBe(200)
  })
})

describe('POST /oauth/introspect', () => {
  it('tells a service of its own live token, and of everything else that it is not active', async () => {
    const live = await post('/oauth/introspect', form(ASKED))
    expect(live.body).toEqual({ active: true, jti: IDS.credential })
    const other = await post('/oauth/introspect', form({ ...ASKED, token: 'other' }))
    expect(other.body).toEqual({ active: false })
  })

  it('refuses an unknown client, and an assertion of another type', async () => {
    for (const changes of [
      { client_assertion: 'nobody' },
      { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe' },
    ]) {
      const answer = await post('/oauth/introspect', form({ ...ASKED, ...changes }))
      expect(answer).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    }
  })

  it('refuses a call without a token', async () => {
    const answer = await post('/oauth/introspect', form({ ...ASKED, token: '' }))
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } })
  })

  it('never says active while it cannot be checked', async () => {
    const front = aFront()
    const introspect = () => Promise.reject(unavailable('database'))
    const down = { ...front, introspect }
    const answer = await post('/oauth/introspect', form(ASKED), down)
    expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
    expect(answer.body).not.toHaveProperty('active')
  })
})

describe('metadata', () => {
  it('advertises what there is, and nothing else', async () => {
    await serving(aFront(), async ({ call }) => {
      const { body } = await call('GET', '/.well-known/oauth-authorization-server')
      const exchange = 'urn:ietf:params:oauth:grant-type:token-exchange'
      expect(body).toMatchObject({ issuer: ISSUER })
      expect(body['grant_types_supported']).toEqual(['client_credentials', exchange])
      expect(body).toMatchObject({ revocation_endpoint: `${ISSUER}/oauth/revoke` })
      const authzen = await call('GET', '/.well-known/authzen-configuration')
      expect(authzen.body).toEqual({
        policy_decision_point: ISSUER,
        access_evaluation_endpoint: `${ISSUER}/access/v1/evaluation`,
        access_evaluations_endpoint: `${ISSUER}/access/v1/evaluations`,
      })
      const own = await call('GET', '/.well-known/procura-configuration')
      const jwks = own.body['jwks'] as Record<string, string>
      expect(jwks['roots']).toBe(`${ISSUER}/.well-known/jwks/roots.json`)
      expect(own.body['limits']).toMatchObject({ root_ttl_max: 28_800, chain_tokens: 8 })
    })
  })

  it.each([
    [
      ...['who it is to clouds', 'identity'],
      ...['aud exp https://aws.amazon.com/source_identity https://aws.amazon.com/tags'],
      'iat iss jti sub',
    ],
    [
      ...['whom it calls for to authorization servers', 'subjects'],
      ...['act aud authorization_details client_id exp', 'iat iss jti sub'],
    ],
  ])('says %s, under an issuer that signs nothing else', async (_what, name, ...claims) => {
    const key = { kty: 'EC', kid: 'cdp-1', alg: 'ES256' }
    const { metadata } = aFront()
    const jwks = { ...metadata.jwks, credentials: () => [key, { ...key, kid: 'cdp-2' }] }
    await serving(aFront({ metadata: { ...metadata, jwks } }), async ({ call }) => {
      const { body } = await call('GET', `/${name}/.well-known/openid-configuration`)
      expect(body).toEqual({
        issuer: `${ISSUER}/${name}`,
        jwks_uri: `${ISSUER}/.well-known/jwks/credentials.json`,
        response_types_supported: ['id_token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
        claims_supported: claims.join(' ').split(' '),
      })
      // Whoever looks for the issuer of sessions is not led here.
      expect((await call('GET', '/.well-known/openid-configuration')).status).toBe(404)
    })
  })

  it('is made from the issuer, whatever Host says', async () => {
    const host = { 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' }
    const { text } = await serving(aFront(), ({ call }) =>
      call('GET', '/.well-known/oauth-authorization-server', { headers: host }),
    )
    expect(text).not.toContain('evil')
  })
})
