import { describe, expect, it } from 'vitest'
import { http } from '../../src/delivery/connectors/http.ts'
import { NoEffect } from '../../src/delivery/connector.ts'
import { createTargets, kindOf } from '../../src/delivery/targets.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { keepsItsPromises } from '../contract/connector.ts'
import { anIntent, ISSUER } from './bench.ts'

const SETTINGS: JsonObject = {
  base_url: 'https://api.example/v3',
  allow: [{ methods: ['POST'], paths: ['/issues/{number}/comments'] }],
  inject: 'bearer',
}
const PERMISSIONS: JsonObject = {
  ...{ method: 'POST', template: '/issues/{number}/comments', path: '/issues/7/comments' },
  ...{ query: {}, body_sha256: null, headers: {} },
}

const TOKENS = 'https://as.example/token'
const grant = (kind: string, token_url = TOKENS, more: JsonObject = {}): JsonObject => ({
  [kind]: { token_url, client_id: 'us', ...more },
})
const token = (...of: Parameters<typeof grant>) => ({ inject: grant(...of) })

function aTarget(settings: JsonObject = SETTINGS) {
  const declared = { issues: { connector: 'http', ...settings } }
  const target = createTargets([kindOf(http(ISSUER))], declared).get('issues')
  if (target === undefined) throw new Error('no target')
  return target
}

const anHttpIntent = (of: Partial<Intent> = {}) =>
  anIntent({
    ...{ connector: 'http', target: 'issues', senderConstraint: 'proxy' },
    ...{ permissions: PERMISSIONS, ...of },
  })
const issue = (permissions: JsonObject, settings?: JsonObject) =>
  aTarget(settings).issue(anHttpIntent({ permissions }), AbortSignal.timeout(5000))

describe('the http connector', () => {
  keepsItsPromises(() =>
    Promise.resolve({
      target: aTarget(),
      intent: anHttpIntent,
      works: null,
      exists: () => Promise.resolve(false),
    }),
  )

  it('gives an address of the broker, and nothing that opens anything', async () => {
    const intent = anHttpIntent()
    const issued = await aTarget().issue(intent, AbortSignal.timeout(5000))
    const base_url = `${ISSUER}/v1/proxy/${intent.lease}/`
    expect(issued).toEqual({ kind: 'proxy', credential: { base_url }, expiresAt: intent.expiresAt })
  })

  it.each([
    ['another method', { method: 'DELETE' }],
    ['another path', { path: '/issues/7' }],
    ['a path that only seems to fit', { path: '/issues/7%2F8/comments' }],
  ])('gives nothing for %s than the secret is for, whatever a tool declares', async (_what, of) => {
    await issue(PERMISSIONS)
    await expect(issue({ ...PERMISSIONS, ...of })).rejects.toThrow(NoEffect)
  })

  it('[PRX-08] gives nothing for a call that sends a parameter where the secret goes', async () => {
    const settings = { ...SETTINGS, inject: { query: 'key' } }
    await issue({ ...PERMISSIONS, query: { keys: 'mine' } }, settings)
    for (const name of ['key', 'Key']) {
      const query = { [name]: 'mine' }
      await expect(issue({ ...PERMISSIONS, query }, settings)).rejects.toThrow(NoEffect)
      await issue({ ...PERMISSIONS, query })
    }
  })

  it.each([
    token('client_credentials', TOKENS, { keep: true, audience: 'https://api.example' }),
    token('refresh_token', TOKENS, { authentication: 'none', scope: 'a b' }),
    token('token_exchange', TOKENS, { resource: 'https://api.example', subject_audience: 'as' }),
  ])('starts with tokens that are got by %j', (of) => {
    aTarget({ ...SETTINGS, ...of })
  })

  it.each([
    ['http without saying so', { base_url: 'http://api.example' }],
    ['another scheme', { base_url: 'ftp://api.example' }],
    ['a user in its address', { base_url: 'https://user:pw@api.example' }],
    ['a query in its address', { base_url: 'https://api.example/?a=b' }],
    ['a path that leads up', { base_url: 'https://api.example/a/../b' }],
    ['a path with an escape', { base_url: 'https://api.example/a%2Fb' }],
    ['a path that ends with a slash', { base_url: 'https://api.example/v3/' }],
    ['nothing that is allowed', { allow: [] }],
    ['a path that is no template', { allow: [{ methods: ['GET'], paths: ['/*'] }] }],
    ['a method that is a tunnel', { allow: [{ methods: ['CONNECT'], paths: ['/a'] }] }],
    ['no place for the secret', { inject: 'nowhere' }],
    ['a place that frames the message', { inject: { header: 'transfer-encoding' } }],
    ['a range that is none', { private_addresses: ['10.0.0.0/40'] }],
    ['cookies passed on', { response_headers: ['set-cookie'] }],
    ['a nonce of its own passed on', { response_headers: ['dpop-nonce'] }],
    ['leave to keep an answer passed on', { response_headers: ['cache-control'] }],
    ['a word of ours passed on', { response_headers: ['procura-upstream-status'] }],
    ['an unknown setting', { follow_redirects: true }],
    ['tokens of a server without TLS', token('client_credentials', 'http://as.example/token')],
    ['refreshed tokens of one', token('refresh_token', 'http://as.example/token')],
    ['exchanged tokens of one', token('token_exchange', 'http://as.example/token')],
    ['a user in the address of tokens', token('refresh_token', 'https://a:b@as.example/token')],
    ['exchanged tokens that are kept', token('token_exchange', TOKENS, { keep: true })],
    [
      'an exchange by whoever is nobody',
      token('token_exchange', TOKENS, { authentication: 'none' }),
    ],
    ['two grants', { inject: { ...grant('refresh_token'), ...grant('token_exchange') } }],
  ])('does not start with %s', (_what, of) => {
    aTarget()
    expect(() => aTarget({ ...SETTINGS, ...of })).toThrow('wrong settings')
  })
})
