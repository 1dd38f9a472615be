import { jwtVerify } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Agent } from '../../src/domain/agent.ts'
import { aHolder } from './signing.ts'
import { aWorld, CI, ISS, presented, refusalOf, type World } from './world.ts'

let world: World
let agent: Agent
beforeAll(async () => {
  world = await aWorld()
  agent = await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'repo' })
  world.aConsent(agent)
})
const repo = (claims: Record<string, unknown> = {}) => world.ciToken('repo', claims)
/** What becomes of asking with this form, with a fresh key and assertion. */
const asked = (form: Record<string, string> = {}, assertion = repo()) =>
  refusalOf(world.session(aHolder(), assertion, form))
const detail = (parts: object) => JSON.stringify([{ type: 'agent_delegation', ...parts }])
const claimsIn = ({ accessToken }: { accessToken: { reveal(): string } }) =>
  JSON.parse(
    Buffer.from(accessToken.reveal().split('.')[1] ?? '', 'base64url').toString(),
  ) as Record<string, unknown>

describe('what a session is asked to be', () => {
  it('[TOK-05] may be less than the consent, and never more', async () => {
    const scopes = ['payments.refund']
    const constraints = [{ key: 'args.amount', max: 10 }]
    const opened = await world.session(aHolder(), repo(), {
      authorization_details: detail({ scopes, constraints }),
    })
    expect(opened.authority).toEqual({
      ...{ scopes, purpose: 'support' },
      constraints: [
        { key: 'args.amount', max: 10 },
        { key: 'calls', max_subtree: 100 },
        { key: 'ttl_seconds', max: 300 },
      ],
    })
    const wider = [
      { authorization_details: detail({ scopes: ['db.query'] }) },
      { authorization_details: detail({ constraints: [{ key: 'args.amount', max: 1001 }] }) },
      { authorization_details: detail({ constraints: [{ key: 'calls', max_subtree: 101 }] }) },
      { purpose: 'sales' },
      { purpose: 'supports' },
    ]
    for (const form of wider) {
      expect(await asked(form)).toBe('invalid_authorization_details/invalid_authorization_details')
    }
    expect(await asked({ purpose: 'support' })).toBe('ok')
  })

  it.each([
    '{}',
    '[]',
    '[{"type":"tool_call"}]',
    detail({ extra: 1 }),
    detail({ scopes: 'x' }),
    detail({ scopes: ['*'] }),
    detail({ constraints: [{ key: 'args.x' }] }),
    detail({ constraints: [{ key: 'args.x', near: 1 }] }),
    `${detail({})},"more":1`,
    `${detail({})}} `,
    '[{"type":"agent_delegation"},{"type":"agent_delegation"}]',
    '[{"type":"agent_delegation","type":"agent_delegation"}]',
    'x',
  ])(
    'is refused where the details are not one closed narrowing: %s',
    async (authorization_details) => {
      expect(await asked({ authorization_details })).toBe(
        'invalid_authorization_details/invalid_authorization_details',
      )
      expect(await asked({ authorization_details: detail({}) })).toBe('ok')
    },
  )

  it('is refused when no token could carry it, rather than given and useless', async () => {
    const owner = await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'wide' })
    const tools = Array.from({ length: 64 }, (_, n) => `wide.${'x'.repeat(50)}${String(n)}`)
    const one_of = Array.from({ length: 30 }, (_, n) => `${'y'.repeat(60)}${String(n)}`)
    world.aConsent(owner, { terms: { tools, constraints: [{ key: 'args.x', one_of }] } })
    const wide = world.session(aHolder(), world.ciToken('wide'))
    expect(await refusalOf(wide)).toMatch('invalid_authorization_details')
    const authorization_details = detail({ scopes: tools.slice(0, 40) })
    const { accessToken } = await world.session(aHolder(), world.ciToken('wide'), {
      authorization_details,
    })
    expect(accessToken.reveal().length).toBeLessThan(8192)
  })

  it('opens accounts where it bounds a total more tightly than the consent, and only there', async () => {
    world.accounts.splice(0)
    await world.session(aHolder(), repo(), {
      authorization_details: detail({ constraints: [{ key: 'calls', max_subtree: 100 }] }),
    })
    expect(world.accounts).toEqual([])
    const bounds = [
      { key: 'calls', max_subtree: 5 },
      { key: 'args.amount', max_lifetime: 50 },
    ]
    const opened = await world.session(aHolder(), repo(), {
      authorization_details: detail({ constraints: bounds }),
    })
    expect(world.accounts).toEqual([{ account: claimsIn(opened)['jti'], bounds }])
  })

  it.each([
    [{ grant_type: '' }, 'invalid_request/invalid_request'],
    [{ grant_type: 'authorization_code' }, 'unsupported_grant_type/unsupported_grant_type'],
    [
      { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer' },
      'unsupported_grant_type/unsupported_grant_type',
    ],
    [{ scope: 'crm.read' }, 'invalid_scope/invalid_scope'],
    [{ resource: 'https://other.example' }, 'invalid_target/invalid_target'],
    [{ audience: `${ISS}/` }, 'invalid_target/invalid_target'],
    [{ delegation_root: 'false' }, 'invalid_request/invalid_request'],
    [{ model: '{"name":"x"}' }, 'invalid_request/invalid_request'],
    [{ model: '{"name":"x","tier":"y","basis":"attested"}' }, 'invalid_request/invalid_request'],
    [{ model: '{"name":"x","name":"z","tier":"y"}' }, 'invalid_request/invalid_request'],
    [{ scope: '', resource: ISS, audience: ISS, delegation_root: 'true' }, 'ok'],
  ])('is as the contract has it: %o → %s', async (form, outcome) => {
    expect(await asked(form as Record<string, string>)).toBe(outcome)
  })

  it('[DPP-01] [DPP-13] [DPP-19] [DPP-22] needs a fresh proof without a token, used once', async () => {
    const holder = aHolder()
    const session = (claims: Record<string, unknown>) =>
      refusalOf(world.session(holder, repo(), {}, { parts: { claims } }))
    expect(await session({ ath: 'x' })).toBe('invalid_dpop_proof/dpop_ath')
    expect(await session({ nonce: undefined, jti: 'unused-as-yet' })).toBe(
      'use_dpop_nonce: dpop_nonce',
    )
    expect(await session({ jti: 'unused-as-yet' })).toBe('ok')
    expect(await session({ jti: 'unused-as-yet' })).toBe('invalid_dpop_proof/dpop_replay')
    expect(await session({ body_sha256: 'x' })).toBe('invalid_dpop_proof/dpop_body_sha256')
    const bare = presented({ path: '/oauth/token', face: 'oauth' })
    const form = new URLSearchParams({ grant_type: 'client_credentials' })
    expect(await refusalOf(world.identity.openSession(form, bare))).toBe(
      'invalid_dpop_proof/dpop_missing',
    )
  })

  it('gives a token that a stock library accepts', async () => {
    const { accessToken } = await world.session(aHolder(), repo())
    const call = world.called(aHolder(), accessToken.reveal())
    expect(await refusalOf(world.identity.authenticate(call))).toBe(
      'invalid_dpop_proof/dpop_key_mismatch',
    )
    await expect(
      jwtVerify(accessToken.reveal(), () => Promise.reject(new Error('asked'))),
    ).rejects.toThrow('asked')
  })
})
