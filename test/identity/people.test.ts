import { beforeAll, describe, expect, it } from 'vitest'
import { canonical } from '../../src/domain/json.ts'
import { identityOf } from '../../src/domain/person.ts'
import { requireRole } from '../../src/identity/people.ts'
import { aHolder, jwt } from './signing.ts'
import { aWorld, CI, ci, IDP, ISS, presented, refusalOf, shop, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await aWorld()
})
const bearer = (token: string) =>
  world.identity.person(presented({ authorization: `Bearer ${token}` }))
const said = (token: string) => refusalOf(bearer(token))

describe('a person', () => {
  it('is the same one whenever they come, with the roles and groups of their token', async () => {
    const { personToken } = world
    const first = await bearer(
      personToken('anna', { groups: ['sponsors', 'dba', 'ops'], name: 'Anna' }),
    )
    expect(first.person).toMatchObject({
      ...{ issuer: IDP, subject: 'anna', display: 'Anna' },
      ...{ roles: ['sponsor', 'operator'], groups: ['dba', 'ops', 'sponsors'] },
    })
    const again = await bearer(
      personToken('anna', { groups: ['auditors'], auth_time: 1_700_000_000 }),
    )
    expect(again.person.id).toBe(first.person.id)
    expect(again.person.roles).toEqual(['auditor'])
    expect(again.authenticatedAt).toEqual(new Date(1_700_000_000_000))
    expect((await bearer(personToken('bob'))).person.id).not.toBe(first.person.id)
    const [kept] = await world.db.query(
      'select roles, groups from procura.person where subject = $1',
      ['anna'],
    )
    expect(kept).toEqual({ roles: ['auditor'], groups: ['auditors'] })
  })

  it('may have any name: what is kept of a long one can go on record', async () => {
    const long = '\u{1f600}'.repeat(300)
    for (const [name, kept] of [
      [long, '\u{1f600}'.repeat(200)],
      [`x${long}`, `x${'\u{1f600}'.repeat(199)}`],
      ['A\u202enna', 'Anna'],
    ] as const) {
      const { person } = await bearer(world.personToken('emoji', { name }))
      expect(person.display).toBe(kept)
      expect(canonical(identityOf(person))).toContain(kept)
    }
    expect(await said(world.personToken('emoji', { name: 'half \ud83d' }))).toMatch('invalid_token')
  })

  it('has one id when first seen many times at once', async () => {
    const tokens = Array.from({ length: 10 }, (_, n) => world.personToken('crowd', { n }))
    const replica = world.aReplica()
    const seen = await Promise.all(
      tokens.map((token, n) =>
        (n % 2 ? replica : world.identity).person(presented({ authorization: `Bearer ${token}` })),
      ),
    )
    expect(new Set(seen.map(({ person }) => person.id)).size).toBe(1)
  })

  it('[AUT-07] is believed only from an issuer that is configured, byte for byte', async () => {
    for (const iss of [
      `${IDP}/`,
      'https://IDP.example',
      'https://user@idp.example',
      `${IDP}.evil/`,
      7,
    ]) {
      expect(await said(world.personToken('anna', { iss }))).toBe('invalid_token: iss')
    }
    expect(await said(world.personToken('anna'))).toBe('ok')
  })

  it('[AUT-06] is not believed from the key of another issuer that has the same name', async () => {
    expect(idOf(ci)).toBe('same-kid')
    const stolen = world.personToken('anna', {}, { ...aHolder('ES256', 'same-kid') })
    expect(await said(stolen)).toBe('invalid_token: bad_signature')
    expect(await said(world.personToken('anna', {}, ci))).toBe('invalid_token: alg_not_allowed')
    expect(await said(world.personToken('anna'))).toBe('ok')
  })

  it('[AUT-15] is not a workload, a service, or anything else that is signed', async () => {
    expect(await said(world.ciToken('repo'))).toBe('invalid_token: iss')
    const asShop = { iss: 'shop', sub: 'shop', aud: ISS, exp: world.seconds() + 60 }
    expect(await said(jwt(shop, asShop))).toBe('invalid_token: iss')
    expect(await said(jwt(aHolder(), { iss: CI }))).toMatch('invalid_token')
  })

  it('[AUT-09] was given a token for us, among others perhaps', async () => {
    expect(await said(world.personToken('anna', { aud: 'another' }))).toBe('invalid_token: aud')
    expect(await said(world.personToken('anna', { aud: ISS }))).toBe('ok')
  })

  it('[AUT-20] [AUT-21] is named by one bearer token and by nothing else', async () => {
    const token = world.personToken('anna')
    for (const authorization of [
      null,
      '',
      token,
      `DPoP ${token}`,
      `Bearer ${token}, Bearer ${token}`,
      `Bearer  ${token}`,
      'Basic YQ==',
    ]) {
      expect(await refusalOf(world.identity.person(presented({ authorization })))).toBe(
        'invalid_token: not_bearer',
      )
    }
    expect(
      await refusalOf(world.identity.person(presented({ authorization: `bearer ${token}` }))),
    ).toBe('ok')
  })

  it('is not remembered past the end of their token', async () => {
    const token = world.personToken('anna', { exp: world.seconds() + 5 })
    expect(await said(token)).toBe('ok')
    world.time.offsetMs += 20_000
    expect(await said(token)).toBe('invalid_token: exp')
  })

  it('[AUT-26] is never mistaken for another, though tokens share their ids and come at once', async () => {
    const tokens = ['anna', 'bob'].map((sub) => world.personToken(sub, { jti: 'same' }))
    const seen = await Promise.all(
      Array.from(
        { length: 1000 },
        async (_, n) => (await bearer(tokens[n % 2] ?? '')).person.subject,
      ),
    )
    expect(seen.every((subject, n) => subject === (n % 2 === 0 ? 'anna' : 'bob'))).toBe(true)
  })

  it('needs the role', async () => {
    const person = await world.personOf('eve', { groups: ['ops'] })
    expect(() => {
      requireRole(person, 'sponsor', 'approver')
    }).toThrow('role_required')
    expect(() => {
      requireRole(person, 'sponsor', 'operator')
    }).not.toThrow()
  })
})

const idOf = ({ jwk }: { jwk: Record<string, string> }) => jwk['kid']
