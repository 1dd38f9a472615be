/** Where everything is and which keys count: RFC 8414, RFC 9728, OpenID Connect's, AuthZEN's and our own. */
import { Router } from 'express'
import type { Response } from 'express'
import { BrokerError } from '../../domain/problems.ts'
import { type PdpFront, KEY_SETS } from '../front.ts'
import { BODY_BYTES_MAX } from '../take-body.ts'
import { type Method, type Handler, serve } from '../serve.ts'

const DPOP_ALGORITHMS = ['ES256', 'Ed25519', 'EdDSA']
const CLIENT_ALGORITHMS = [
  ...['ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA'],
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
]

export function wellKnown(front: PdpFront): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const documents: Record<string, () => object> = {
    'oauth-authorization-server': () => sessionIssuer(front),
    'oauth-authorization-server/credentials': () => credentialIssuer(front),
    'oauth-protected-resource': () => protectedResource(front),
    'authzen-configuration': () => authzenConfiguration(front),
    'procura-configuration': () => ownConfiguration(front),
  }
  for (const name of KEY_SETS) {
    documents[`jwks/${name}.json`] = () => ({ keys: front.metadata.jwks[name]() })
  }
  const publish = (path: string, document: () => object) => {
    const get: Handler = (_req, res) => {
      cacheable(res).json(document())
    }
    serve({ router, front, door: 'public' }, path, { get } satisfies Partial<
      Record<Method, Handler>
    >)
  }
  for (const [name, document] of Object.entries(documents)) {
    publish(`/.well-known/${name}`, document)
  }
  // OpenID Connect puts it after the issuer's path, RFC 8414 before.
  for (const name of ['identity', 'subjects'] as const) {
    publish(`/${name}/.well-known/openid-configuration`, () => ownIssuer(front, name))
  }
  serve({ router, front, door: 'public' }, '/.well-known/security.txt', {
    get: (_req, res) => {
      const text = front.metadata.securityTxt()
      if (text === null) throw new BrokerError('not_found')
      cacheable(res).type('text/plain').send(text)
    },
  })
  return router
}

const cacheable = (res: Response) => res.set('Cache-Control', 'public, max-age=300')

function sessionIssuer({ issuer }: PdpFront) {
  return {
    issuer,
    token_endpoint: `${issuer}/oauth/token`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: ['private_key_jwt'],
    introspection_endpoint_auth_signing_alg_values_supported: CLIENT_ALGORITHMS,
    revocation_endpoint: `${issuer}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: ['private_key_jwt', 'spiffe_jwt'],
    revocation_endpoint_auth_signing_alg_values_supported: CLIENT_ALGORITHMS,
    jwks_uri: jwksUri(issuer, 'sessions'),
    grant_types_supported: [
      'client_credentials',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ],
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['private_key_jwt', 'spiffe_jwt'],
    token_endpoint_auth_signing_alg_values_supported: CLIENT_ALGORITHMS,
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    authorization_details_types_supported: ['agent_delegation'],
  }
}

function credentialIssuer({ issuer }: PdpFront) {
  return {
    issuer: `${issuer}/credentials`,
    jwks_uri: jwksUri(issuer, 'credentials'),
    introspection_endpoint: `${issuer}/oauth/introspect`,
    grant_types_supported: [],
    response_types_supported: [],
    authorization_details_types_supported: ['tool_call'],
  }
}

const CLAIMS = {
  identity: [
    ...['aud', 'exp', 'https://aws.amazon.com/source_identity', 'https://aws.amazon.com/tags'],
    ...['iat', 'iss', 'jti', 'sub'],
  ],
  subjects: [
    ...['act', 'aud', 'authorization_details', 'client_id', 'exp', 'iat', 'iss', 'jti', 'sub'],
  ],
} as const

/**
 * OpenID Connect Discovery 1.0. Nobody logs in here: one is for clouds that are to believe who this broker
 * is, one for authorization servers that are to believe whom it calls for. Neither passes for the other.
 */
function ownIssuer({ issuer, metadata }: PdpFront, name: keyof typeof CLAIMS) {
  const algorithms = metadata.jwks.credentials().map(({ alg }) => alg)
  return {
    issuer: `${issuer}/${name}`,
    jwks_uri: jwksUri(issuer, 'credentials'),
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: [...new Set(algorithms)],
    claims_supported: CLAIMS[name],
  }
}

function protectedResource({ issuer }: PdpFront) {
  return {
    resource: issuer,
    authorization_servers: [issuer],
    bearer_methods_supported: ['header'],
    dpop_bound_access_tokens_required: true,
    dpop_signing_alg_values_supported: DPOP_ALGORITHMS,
    authorization_details_types_supported: ['agent_delegation'],
  }
}

function authzenConfiguration({ issuer }: PdpFront) {
  return {
    policy_decision_point: issuer,
    access_evaluation_endpoint: `${issuer}/access/v1/evaluation`,
    access_evaluations_endpoint: `${issuer}/access/v1/evaluations`,
  }
}

function ownConfiguration({ issuer, metadata }: PdpFront) {
  const { ledger, dpopNonce, version, rootSecondsMax } = metadata
  return {
    api_version: version,
    ledger: {
      ...{ origin: ledger.origin, vkey: ledger.vkey },
      ...{ prefix: `${issuer}/v1/ledger`, witnesses: [] },
    },
    jwks: Object.fromEntries(KEY_SETS.map((name) => [name, jwksUri(issuer, name)])),
    dpop: { nonce: dpopNonce, body_sha256: 'required' },
    limits: {
      ...{ body_bytes: BODY_BYTES_MAX.native, oauth_body_bytes: BODY_BYTES_MAX.oauth },
      ...{ uri_bytes: 8192, header_bytes: 16384, evaluations: 64, page: 200, wait_seconds: 30 },
      ...{ chain_bytes: 65_536, chain_tokens: 8, root_ttl_max: rootSecondsMax },
    },
  }
}

const jwksUri = (issuer: string, name: string) => `${issuer}/.well-known/jwks/${name}.json`
