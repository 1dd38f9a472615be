import { generateKeyPairSync } from 'node:crypto'
import { inspect } from 'node:util'
import { jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NoEffect } from '../../src/delivery/connector.ts'
import { within } from '../../src/delivery/deadline.ts'
import { subjectToken } from '../../src/delivery/proxy/subject.ts'
import { sha256 } from '../../src/domain/digest.ts'
import { readToken, type Signer, signingKey } from '../../src/domain/jws.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { type AwsEndpoint, anAwsEndpoint, failure, session, xml } from '../fakes/aws-endpoint.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { createTargets } from '../../src/delivery/targets.ts'
import { keylessTarget, NOTHING_STORED } from './aws-issuer.ts'
import { intentFor, ROLE } from './aws-target.ts'
import { aSigner, HOUSE, ISSUER, WHO } from './bench.ts'

const REVOKER = 'arn:aws:iam::123456789012:role/procura-revoker'
const signer = aSigner()

let endpoint: AwsEndpoint
let healthy: AwsEndpoint['answer']
beforeAll(async () => {
  endpoint = await anAwsEndpoint()
  healthy = endpoint.answer
})
beforeEach(() => {
  endpoint.answer = healthy
  endpoint.asked.length = 0
})
afterAll(() => endpoint.close())

const targetWith = (more: object = {}, by: Signer = signer) =>
  keylessTarget(
    { role_arn: ROLE, region: 'eu-west-1', allow_http: true, endpoint: endpoint.url, ...more },
    by,
  )
const issue = (intent: Intent, more: object = {}, by: Signer = signer) =>
  within(3000, (signal) => targetWith(more, by).issue(intent, signal))
const asked = (n = 0) => endpoint.asked[n] ?? { form: new URLSearchParams(), authorization: '-' }
const tokenIn = (n = 0) => asked(n).form.get('WebIdentityToken') ?? ''
const read = async (n = 0) => await jwtVerify(tokenIn(n), signer.keys[0].publicKey)

describe('what STS is sent by a broker without a key', () => {
  it('is one request that nobody signed, of the same members but for what the token says', async () => {
    const intent = intentFor('7')
    const { credential } = await issue(intent)
    expect(credential).toMatchObject({ access_key_id: 'ASIAMADEBYTHEFAKE', region: 'eu-west-1' })
    expect(endpoint.asked).toHaveLength(1)
    expect(asked().authorization).toBe('')
    const { Policy, WebIdentityToken: _, ...sent } = Object.fromEntries(asked().form)
    expect(sent).toEqual({
      ...{ Action: 'AssumeRoleWithWebIdentity', Version: '2011-06-15', RoleArn: ROLE },
      ...{ RoleSessionName: intent.downstreamName, DurationSeconds: '900' },
    })
    const at = `${intent.expiresAt.toISOString().slice(0, 19)}Z`
    expect(JSON.parse(Policy ?? '')).toMatchObject({
      Statement: [
        {
          Resource: ['arn:aws:s3:::reports/7/*'],
          Condition: { DateLessThan: { 'aws:CurrentTime': at } },
        },
      ],
    })
  })

  it('is a token that says which broker asks, for which target and lease, and for whom', async () => {
    const intent = intentFor('7', { chain: { depth: 1, leaf: sha256('leaf'), delegation_id: 'x' } })
    await issue(intent)
    const { payload, protectedHeader } = await read()
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: signer.keys[0].kid, typ: 'JWT' })
    const { iat = 0, exp = 0, ...said } = payload
    // Also for an STS whose clock is a little behind.
    expect(exp - iat).toBe(60)
    expect(Math.abs(exp - 40 - Date.now() / 1000)).toBeLessThan(10)
    const tags = { sponsor: WHO.sponsor, agent: WHO.agent, purpose: intent.purpose }
    const named = Object.entries({ ...tags, chain: sha256('leaf') }).map(
      ([key, value]) => [`procura:${key}`, [value]] as const,
    )
    expect(said).toEqual({
      ...{ iss: `${ISSUER}/identity`, aud: 'sts.amazonaws.com', sub: 'procura:reports' },
      jti: intent.lease,
      'https://aws.amazon.com/tags': {
        principal_tags: Object.fromEntries(named),
        transitive_tag_keys: named.map(([key]) => key),
      },
      'https://aws.amazon.com/source_identity': WHO.sponsor,
    })
  })

  it('says nothing of people where the target has tags off, and to whom it is configured', async () => {
    await issue(intentFor('7'), { tags: 'off', audience: 'https://sts.gateway.example' })
    const { payload } = await read()
    const members = ['aud', 'exp', 'iat', 'iss', 'jti', 'sub']
    expect(Object.keys(payload).sort()).toEqual(members)
    expect(payload.aud).toBe('https://sts.gateway.example')
  })

  it('[AUT-15] is of an issuer of its own: what is said of a lease to others is no such token', async () => {
    const said = await subjectToken(intentFor('7'), 'sts.amazonaws.com', signer, new Date())
    const at = { now: new Date(), audience: 'sts.amazonaws.com' }
    expect(() => readToken('identity', said, signer, at)).toThrow('iss')
    expect(readToken('subject', said, signer, at).claims).toMatchObject({
      ...{ iss: `${ISSUER}/subjects`, sub: WHO.sponsor },
    })
  })

  it('is nothing where the key that signs is none that STS takes', async () => {
    const pair = generateKeyPairSync('ed25519')
    const other: Signer = {
      issuer: ISSUER,
      keys: [signingKey({ kid: 'k-2', alg: 'Ed25519', ...pair })],
    }
    await expect(issue(intentFor('7'), {}, other)).rejects.toThrow(NoEffect)
    expect(endpoint.asked).toHaveLength(0)
  })
})

describe('the end of a session that was made without a key', () => {
  const early = { kill_switch: 'role_policy', settle_seconds: 0, revoker_role_arn: REVOKER }

  it('[REV-01] is written in a role of its own, in a session that may do that and no more', async () => {
    endpoint.answer = (res, form) => {
      if (form.get('Action') === 'GetRolePolicy') xml(res, 404, failure('NoSuchEntity'))
      else if (form.get('Action') === 'PutRolePolicy') xml(res, 200, '<PutRolePolicyResponse/>')
      else healthy(res, form)
    }
    const { downstreamName, expiresAt } = intentFor('7')
    await within(3000, (signal) => targetWith(early).revoke(downstreamName, signal, expiresAt))
    expect(endpoint.asked.map(({ form }) => form.get('Action'))).toEqual([
      ...['AssumeRoleWithWebIdentity', 'GetRolePolicy', 'PutRolePolicy'],
    ])
    expect(asked().form.get('RoleArn')).toBe(REVOKER)
    expect((await read()).payload).toMatchObject({ sub: 'procura:reports:revoker' })
    const action = ['iam:GetRolePolicy', 'iam:PutRolePolicy']
    expect(JSON.parse(asked().form.get('Policy') ?? '')).toMatchObject({
      Statement: [{ Effect: 'Allow', Action: action, Resource: ROLE }],
    })
    for (const n of [1, 2]) expect(asked(n).authorization).toContain('ASIAMADEBYTHEFAKE/')
    expect(asked(2).form.get('PolicyDocument')).toContain(`*:${downstreamName}`)
  })

  it('is not confirmed where that role does not believe the broker', async () => {
    endpoint.answer = (res) => {
      xml(res, 403, failure('AccessDenied'))
    }
    const { downstreamName, expiresAt } = intentFor('7')
    const ending = within(3000, (signal) =>
      targetWith(early).revoke(downstreamName, signal, expiresAt),
    )
    await expect(ending).rejects.toThrow('The target answered 403')
    expect(endpoint.asked).toHaveLength(1)
  })

  it.each<[string, object]>([
    ['a kill switch that nobody may throw', { kill_switch: 'role_policy' }],
    ['a role that ends what it is itself', { revoker_role_arn: ROLE }],
    ['an external id, which STS does not take', { external_id: 'ours-1' }],
    ['a stored key and an audience', { credentials: 'stored', audience: 'x' }],
    ['a stored key and a role for what it may do', { credentials: 'stored', ...early }],
  ])('is not promised: %s is refused at the start', (_what, more) => {
    expect(() => targetWith(more)).toThrow('wrong settings')
  })
})

describe('a role that ends sessions', () => {
  const kinds = createConnectors({
    ...{ ...HOUSE, credentials: signer, secrets: NOTHING_STORED, owner: ISSUER },
  })
  const own = { connector: 'aws-sts', region: 'eu-west-1', role_arn: ROLE }
  const keyless = { ...own, credentials: 'web_identity', revoker_role_arn: REVOKER }
  const arn = `${ROLE}-2`

  it.each([REVOKER, REVOKER.replace('procura-', 'Procura-')])(
    'is handed out by no target, whatever that is to hand out: %s',
    (role) => {
      const beside = (role_arn: string) => () => {
        const other = { ...own, role_arn }
        createTargets(kinds, { reports: keyless, other })
      }
      expect(beside(role)).toThrow('target other hands out the revoker_role_arn of reports')
      expect(beside(arn)).not.toThrow()
    },
  )

  it('may end those of many', () => {
    const many = { reports: keyless, others: { ...keyless, role_arn: arn } }
    expect(() => createTargets(kinds, many)).not.toThrow()
  })
})

describe('the token that was shown', () => {
  it.each<[string, number, (token: string) => string]>([
    ['a refusal', 400, (token) => failure(`InvalidIdentityToken ${token}`)],
    ['a fault', 500, failure],
    ['nonsense', 200, (token) => token],
    ['another session', 200, (token) => session(token)],
  ])('is in no error, also when %s quotes it', async (_what, status, quoting) => {
    endpoint.answer = (res, form) => {
      xml(res, status, quoting(form.get('WebIdentityToken') ?? ''))
    }
    const error = await issue(intentFor('7')).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(Error)
    const [, , signature = '-'] = tokenIn().split('.')
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(signature)
  })
})
