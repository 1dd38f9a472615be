import { beforeAll, describe, expect, it } from 'vitest'
import type { Agent } from '../../src/domain/agent.ts'
import { aHolder, jwt } from './signing.ts'
import { aWorld, CI, idp, ISS, JWT_SPIFFE, refusalOf, sharing, spire, type World } from './world.ts'

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
const claimsIn = ({ accessToken }: { accessToken: { reveal(): string } }) =>
  JSON.parse(
    Buffer.from(accessToken.reveal().split('.')[1] ?? '', 'base64url').toString(),
  ) as Record<string, unknown>

describe('a session', () => {
  it('says whose run it is, under which consent, for what, and is on record', async () => {
    const holder = aHolder()
    const assertion = repo()
    const model = '{"name":"opus","tier":"large"}'
    const opened = await world.session(holder, assertion, { purpose: 'support.refunds', model })
    const claims = claimsIn(opened)
    const [consent] = world.consents
    expect(claims).toEqual({
      ...{ iss: ISS, aud: ISS, sub: agent.sponsor, client_id: agent.id, cnf: { jkt: holder.jkt } },
      ...{
        iat: expect.any(Number) as number,
        exp: Number(claims['iat']) + 600,
        jti: claims['jti'],
      },
      act: { iss: ISS, sub: agent.id, sub_profile: 'ai_agent' },
      ...{ purpose: 'support.refunds', consent_id: consent?.id, instance_id: opened.instance },
      model: { name: 'opus', tier: 'large', basis: 'claimed' },
      authorization_details: [
        {
          ...{ type: 'agent_delegation', scopes: ['crm.*', 'payments.refund'] },
          constraints: [
            { key: 'args.amount', max: 1000 },
            { key: 'calls', max_subtree: 100 },
            { key: 'ttl_seconds', max: 300 },
          ],
        },
      ],
    })
    expect(opened).toMatchObject({ expiresInSeconds: 600, consent: consent?.id })
    const leaves = await world.db.query<{ entry: string }>(
      `select entry from ledger.leaf where event_type = 'session_issued' and entry like $1`,
      [`%${opened.instance}%`],
    )
    expect(leaves).toHaveLength(1)
    expect(leaves[0]?.entry).not.toContain(assertion)
    expect(leaves[0]?.entry).not.toContain(opened.accessToken.reveal())
    expect(JSON.stringify(opened)).not.toContain(opened.accessToken.reveal())
  })

  it('is the same instance whenever the same agent comes with the same key', async () => {
    const holder = aHolder()
    const first = await world.session(holder, repo())
    const again = await world.session(holder, repo())
    expect(again.instance).toBe(first.instance)
    expect((await world.session(aHolder(), repo())).instance).not.toBe(first.instance)
  })

  it('is refused to a key that another agent holds', async () => {
    const holder = aHolder()
    const other = await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'other' })
    world.aConsent(other)
    await world.session(holder, repo())
    const taken = world.session(holder, world.ciToken('other'))
    expect(await refusalOf(taken)).toBe('invalid_request/key_in_use')
    expect(await refusalOf(world.session(aHolder(), world.ciToken('other')))).toBe('ok')
  })

  it('[AUT-15] takes a client assertion for what it is, and nothing else for one', async () => {
    const { accessToken } = await world.session(aHolder(), repo())
    const stolen = [
      accessToken.reveal(),
      world.personToken('anna'),
      jwt(idp, { iss: CI }),
      '',
      'x.y.z',
    ]
    for (const assertion of stolen) expect(await asked({}, assertion)).toMatch(/^invalid_client: /)
    expect(await asked({ client_assertion_type: 'urn:x' })).toBe('invalid_client: assertion_type')
    expect(await asked({ client_assertion_type: JWT_SPIFFE })).toBe('invalid_client: bad_spiffe_id')
    expect(await asked()).toBe('ok')
  })

  it('[AUT-06] [AUT-07] [AUT-09] [AUT-10] is not given for the word of another issuer, for others, or for too long', async () => {
    const { ciToken, seconds } = world
    expect(await asked({}, ciToken('repo', {}, sharing))).toBe('invalid_client: bad_signature')
    expect(await asked({}, ciToken('repo', { iss: `${CI}/` }))).toBe('invalid_client: iss')
    expect(await asked({}, ciToken('repo', { aud: [ISS, 'x'] }))).toBe('invalid_client: aud')
    expect(await asked({}, ciToken('repo', { exp: seconds() + 86_500 }))).toBe(
      'invalid_client: exp',
    )
    expect(await asked({}, ciToken('nobody'))).toBe('invalid_client: no_agent')
    expect(await asked({ client_id: 'agt_other' })).toBe('invalid_client/invalid_client')
    expect(await asked({ client_id: agent.id })).toBe('ok')
  })

  it('[AUT-08] is given to the holder of a JWT-SVID of a trust domain that is configured', async () => {
    const id = 'spiffe://example.org/ns/a'
    const workload = await world.anAgent({ kind: 'spiffe', id })
    world.aConsent(workload)
    const form = { client_assertion_type: JWT_SPIFFE }
    expect(await asked(form, world.svid(id))).toBe('ok')
    for (const sub of [
      'spiffe://example.org.evil/ns/a',
      'spiffe://example.org/ns/./a',
      'spiffe://EXAMPLE.org/ns/a',
      7,
    ]) {
      expect(await asked(form, world.svid(sub as string))).toBe('invalid_client: bad_spiffe_id')
    }
    expect(await asked(form, world.svid('spiffe://example.org/ns/b'))).toBe(
      'invalid_client: no_agent',
    )
    const edward = { ...aHolder('Ed25519', 'spire') }
    expect(await asked(form, world.svid(id, {}, edward))).toBe('invalid_client: alg_not_allowed')
    expect(await asked(form, world.svid(id, {}, aHolder('ES256', 'spire')))).toBe(
      'invalid_client: bad_signature',
    )
    expect(spire.jwk['kid']).toBe('spire')
  })

  it('[AUT-10] [TOK-04] is given for the signature of an agent under its own key, once', async () => {
    const key = aHolder('Ed25519')
    const own = await world.anAgent({ kind: 'jwk', jwk: key.jwk })
    world.aConsent(own)
    const { ownJwt, seconds } = world
    const assertion = ownJwt(own.id, key)
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => asked({}, assertion)))
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1)
    expect(await asked({}, assertion)).toBe('invalid_client: jti_replay')
    expect(await asked({}, ownJwt(own.id, key, { sub: agent.id }))).toBe('invalid_client: sub')
    expect(await asked({}, ownJwt(own.id, key, { aud: 'https://other.example' }))).toBe(
      'invalid_client: aud',
    )
    const iat = seconds()
    expect(await asked({}, ownJwt(own.id, key, { iat, exp: iat + 301 }))).toBe(
      'invalid_client: exp',
    )
    expect(await asked({}, ownJwt(own.id, key, { iat: undefined }))).toBe('invalid_client: exp')
    expect(await asked({}, ownJwt(own.id, key, { jti: undefined }))).toBe('invalid_client: jti')
    expect(await asked({}, ownJwt(own.id, aHolder('Ed25519')))).toBe(
      'invalid_client: bad_signature',
    )
    expect(await asked({}, ownJwt(agent.id, key))).toBe('invalid_client: workload_kind')
    expect(await asked({}, ownJwt(own.id, key))).toBe('ok')
  })

  it('[TOK-03] binds an assertion to the first key, unless its issuer shares assertions', async () => {
    const [holder, thief] = [aHolder(), aHolder()]
    const assertion = repo()
    expect(await refusalOf(world.session(holder, assertion))).toBe('ok')
    expect(await refusalOf(world.session(thief, assertion))).toBe(
      'invalid_client/assertion_bound_elsewhere',
    )
    expect(await refusalOf(world.session(holder, assertion))).toBe('ok')

    const iss = `${CI}/shared`
    world.aConsent(await world.anAgent({ kind: 'oidc', issuer: iss, subject: 'pool' }))
    const shared = world.ciToken('pool', { iss }, sharing)
    expect(await refusalOf(world.session(holder, shared))).toBe('invalid_request/key_in_use')
    expect(await refusalOf(world.session(thief, shared))).toBe('ok')
    expect(await refusalOf(world.session(aHolder(), shared))).toBe('ok')
  })

  it('[AUT-11] [TOK-06] ends no later than the token that was shown, or the consent', async () => {
    const { ciToken, seconds } = world
    const shown = await world.session(aHolder(), ciToken('repo', { exp: seconds() + 30 }))
    expect(shown.expiresInSeconds).toBeLessThanOrEqual(30)
    expect(shown.expiresInSeconds).toBeGreaterThan(25)
    const late = await world.session(aHolder(), ciToken('repo', { exp: seconds() - 5 }))
    expect(late.expiresInSeconds).toBeLessThanOrEqual(5)
    expect(await asked({}, ciToken('repo', { exp: seconds() - 11 }))).toBe('invalid_client: exp')

    const owner = await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'brief' })
    world.aConsent(owner, { terms: { expiresAt: new Date(world.clock().getTime() + 30_000) } })
    const { expiresInSeconds } = await world.session(aHolder(), ciToken('brief'))
    expect(expiresInSeconds).toBeLessThanOrEqual(30)
    world.consents.pop()
    world.aConsent(owner, { terms: { expiresAt: world.clock() } })
    expect(await asked({}, ciToken('brief'))).toBe('invalid_grant/consent_inactive')
  })

  it('is under the consent that is named, or the only active one', async () => {
    const owner = await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'many' })
    const ask = (form: Record<string, string> = {}) => asked(form, world.ciToken('many'))
    expect(await ask()).toBe('invalid_grant/no_consent')
    const over = world.aConsent(owner, { status: 'withdrawn' })
    expect(await ask()).toBe('invalid_grant/no_consent')
    expect(await ask({ consent_id: over.id })).toBe('invalid_grant/consent_inactive')
    const one = world.aConsent(owner)
    expect(await ask()).toBe('ok')
    const two = world.aConsent(owner)
    expect(await ask()).toBe('invalid_request/consent_ambiguous')
    expect(await ask({ consent_id: two.id })).toBe('ok')
    expect(await ask({ consent_id: one.id })).toBe('ok')
    expect(await ask({ consent_id: world.consents[0]?.id ?? '' })).toBe('invalid_grant/no_consent')
    expect(await ask({ consent_id: 'con_x' })).toBe('invalid_grant/no_consent')
  })

  it.each([
    ['agent', 'invalid_grant/stopped'],
    ['sponsor', 'invalid_grant/stopped'],
    ['instance', 'invalid_grant/stopped'],
    ['consent', 'invalid_grant/consent_inactive'],
  ])('[AUT-28] is not opened on a stopped %s', async (kind, outcome) => {
    const owner = await world.anAgent(
      { kind: 'oidc', issuer: CI, subject: kind },
      `sponsor-of-${kind}`,
    )
    const consent = world.aConsent(owner)
    const holder = aHolder()
    const { instance } = await world.session(holder, world.ciToken(kind))
    const ids: Record<string, string> = {
      agent: owner.id,
      sponsor: owner.sponsor,
      instance,
      consent: consent.id,
    }
    await world.db.query(
      `insert into procura.stop (tenant, kind, id, epoch, revocation, at) values ('main', $1, $2, 1, 'rev_x', now())`,
      [kind, ids[kind]],
    )
    expect(await refusalOf(world.session(holder, world.ciToken(kind)))).toBe(outcome)
    const fresh = await refusalOf(world.session(aHolder(), world.ciToken(kind)))
    expect(fresh).toBe(kind === 'instance' ? 'ok' : outcome)
  })

  it('[AUT-28] is not opened by a retired agent, and leaves nothing behind', async () => {
    const owner = await world.anAgent({ kind: 'oidc', issuer: CI, subject: 'gone' })
    world.aConsent(owner)
    expect(await asked({}, world.ciToken('gone'))).toBe('ok')
    await world.db.query(`update procura.agent set status = 'retired' where id = $1`, [owner.id])
    const count = 'select count(*)::int as n from ledger.leaf'
    const before = await world.db.query(count)
    expect(await asked({}, world.ciToken('gone'))).toBe('invalid_client: no_agent')
    expect(await world.db.query(count)).toEqual(before)
  })
})
