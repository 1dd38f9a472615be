import { beforeAll, describe, expect, it } from 'vitest'
import { sha256 } from '../../src/domain/digest.ts'
import { aHolder, jwt } from './signing.ts'
import { aWorld, ISS, presented, refusalOf, shop, type World } from './world.ts'

let world: World
let count = 0
beforeAll(async () => {
  world = await aWorld()
})

function assertion(
  changed: Record<string, unknown> = {},
  by = shop,
  header: Record<string, unknown> = {},
) {
  const iat = world.seconds()
  const times = { iat, exp: iat + 60 }
  count += 1
  const ids = { iss: 'shop', sub: 'shop', aud: ISS, jti: `jti-${String(count)}` }
  return jwt(by, { ...ids, ...times, ...changed }, { kid: undefined, ...header })
}
const body = Buffer.from('{"credential":"x"}')
const said = (token: string | null) =>
  refusalOf(world.identity.service(presented({ authorization: token && `Bearer ${token}`, body })))

describe('a service', () => {
  it('is named by an assertion under its registered key, and answers for its audience', async () => {
    const service = await world.identity.service(
      presented({ authorization: `Bearer ${assertion()}` }),
    )
    expect(service).toMatchObject({ name: 'shop', audience: 'https://shop.example' })
    expect(await said(assertion({}, shop, { typ: 'client-authentication+jwt' }))).toBe('ok')
  })

  it('sends the same assertion in the form at /oauth/*, where a refusal is invalid_client', async () => {
    const at = presented({ path: '/oauth/introspect', face: 'oauth' })
    expect((await world.identity.service(at, assertion())).name).toBe('shop')
    const used = assertion()
    await world.identity.service(at, used)
    expect(await refusalOf(world.identity.service(at, used))).toBe('invalid_client: jti_replay')
    expect(await refusalOf(world.identity.service(at, null))).toBe('invalid_client: no_assertion')
  })

  it('[TOK-04] uses each assertion once, over all replicas, also at the same moment', async () => {
    const token = assertion()
    const replicas = [world.identity, world.aReplica()]
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        refusalOf(
          (replicas[n % 2] ?? world.identity).service(
            presented({ authorization: `Bearer ${token}` }),
          ),
        ),
      ),
    )
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(1)
    expect(await said(token)).toBe('invalid_token: jti_replay')
    expect(await said(assertion())).toBe('ok')
  })

  it('is not believed otherwise', async () => {
    const late = world.seconds()
    expect(await said(null)).toBe('invalid_token: no_assertion')
    expect(await said(assertion({}, aHolder()))).toBe('invalid_token: bad_signature')
    expect(await said(assertion({ iss: 'other' }))).toBe('invalid_token: kid')
    expect(await said(assertion({ sub: 'other' }))).toBe('invalid_token: sub')
    expect(await said(assertion({ aud: 'other' }))).toBe('invalid_token: aud')
    expect(await said(assertion({ aud: [ISS, 'x'] }))).toBe('invalid_token: aud')
    expect(await said(assertion({ exp: late + 62, iat: late }))).toBe('invalid_token: exp')
    expect(await said(assertion({ iat: undefined }))).toBe('invalid_token: exp')
    expect(await said(assertion({ jti: undefined }))).toBe('invalid_token: jti')
    expect(await said(assertion({ body_sha256: sha256('{}') }))).toBe('invalid_token: body_sha256')
    expect(await said(assertion({}, shop, { typ: 'dpop+jwt' }))).toBe('invalid_token: wrong_type')
    expect(await said(world.personToken('anna'))).toBe('invalid_token: kid')
    expect(await said(assertion({ body_sha256: sha256(body) }))).toBe('ok')
  })
})
