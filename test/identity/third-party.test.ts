import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { jwtVerify, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { JwsError } from '../../src/domain/jws.ts'
import { readVerifyKey } from '../../src/identity/jwks.ts'
import { trustDomainOf } from '../../src/identity/spiffe.ts'
import { type Kind, kidOf, verifyThirdParty } from '../../src/identity/third-party.ts'
import { aHolder, compact, jwt } from './signing.ts'

const NOW = new Date('2026-11-20T12:00:00Z')
const S = NOW.getTime() / 1000
const ISS = 'https://broker.example'
const kind: Kind = {
  algorithms: ['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519', 'EdDSA'],
  types: [null, 'JWT'],
  audiences: 'only',
}
const holder = aHolder()
const claims = { iss: 'https://idp.example', sub: 'low', aud: ISS, iat: S, exp: S + 60 }

/** `accepted`, or why not. `looked` counts how often a key was asked for. */
async function said(token: string, changed: Partial<Kind> = {}, by = holder) {
  let looked = 0
  const keyFor = (_: unknown, header: Parameters<typeof kidOf>[0]) => {
    looked += 1
    return Promise.resolve(kidOf(header) === 'k1' ? readVerifyKey(by.jwk) : null)
  }
  try {
    await verifyThirdParty(token, {
      kind: { ...kind, ...changed },
      audience: ISS,
      keyFor,
      now: NOW,
    })
    return { reason: 'accepted', looked }
  } catch (error) {
    if (!(error instanceof JwsError)) throw error
    return { reason: error.message, looked }
  }
}
const reasonOf = async (token: string, changed: Partial<Kind> = {}) =>
  (await said(token, changed)).reason
const claiming = (changed: Record<string, unknown>) =>
  reasonOf(jwt(holder, { ...claims, ...changed }))
const heading = (changed: Record<string, unknown>) => reasonOf(jwt(holder, claims, changed))

describe("another issuer's token", () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'Ed25519'] as const)(
    'is read as jose reads it (%s)',
    async (alg) => {
      const by = aHolder(alg)
      const made = await new SignJWT(claims)
        .setProtectedHeader({ alg, kid: 'k1' })
        .sign(by.privateKey)
      expect((await said(made, {}, by)).reason).toBe('accepted')
      const options = { audience: ISS, currentDate: NOW, algorithms: [alg] }
      await expect(jwtVerify(jwt(by, claims), by.publicKey, options)).resolves.toBeDefined()
    },
  )

  it.each(['none', 'None', 'nOnE', '', undefined])(
    '[AUT-01] without an algorithm is refused before any key is looked up: %s',
    async (alg) => {
      const unsigned = `${jwt(holder, claims, { alg }).split('.').slice(0, 2).join('.')}.`
      expect(await said(unsigned)).toEqual({ reason: 'alg_not_allowed', looked: 0 })
      expect(await heading({})).toBe('accepted')
    },
  )

  it('[AUT-02] is not a MAC under what everybody knows', async () => {
    const publicForms = [
      holder.publicKey.export({ type: 'spki', format: 'pem' }),
      holder.publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(holder.jwk),
    ]
    for (const secret of publicForms) {
      const input = jwt(holder, claims, { alg: 'HS256' }).split('.').slice(0, 2).join('.')
      const mac = createHmac('sha256', secret).update(input).digest('base64url')
      expect(await said(`${input}.${mac}`)).toEqual({ reason: 'alg_not_allowed', looked: 0 })
    }
  })

  it.each(['jwk', 'jku', 'x5c', 'x5u'])('[AUT-03] does not bring its own key: %s', async (name) => {
    const thief = aHolder()
    const token = jwt(thief, claims, {
      [name]: name === 'jwk' ? thief.jwk : 'https://evil.example',
    })
    expect(await said(token)).toEqual({ reason: 'header_not_allowed', looked: 0 })
  })

  it('[AUT-05] names its key by a name, which is only compared', async () => {
    for (const kid of [
      '../../../../dev/null',
      "x' UNION SELECT 1--",
      'x'.repeat(4000),
      7,
      null,
      undefined,
    ]) {
      expect(await heading({ kid })).toBe('kid')
    }
    expect(await heading({ kid: 'x'.repeat(65_536) })).toBe('too_large')
    expect(await heading({})).toBe('accepted')
  })

  it('[AUT-09] is for us, and for nobody else', async () => {
    for (const aud of [
      undefined,
      [],
      'https://other.example',
      `${ISS}.evil`,
      [ISS, 'x'],
      [[ISS]],
      null,
    ]) {
      expect(await claiming({ aud })).toBe('aud')
    }
    expect(await claiming({ aud: [ISS] })).toBe('accepted')
    const among = { audiences: 'among' } as const
    expect(await reasonOf(jwt(holder, { ...claims, aud: ['x', ISS] }), among)).toBe('accepted')
    expect(await reasonOf(jwt(holder, { ...claims, aud: ['x'] }), among)).toBe('aud')
  })

  it('[AUT-10] says when it ends, as a number', async () => {
    for (const exp of [undefined, String(S + 60), null, 1e15, -1e15]) {
      expect(await claiming({ exp })).toBe('exp')
    }
    expect(await claiming({})).toBe('accepted')
  })

  it('[AUT-11] is allowed ten seconds of clock, and no eleventh', async () => {
    expect(await claiming({ exp: S - 11 })).toBe('exp')
    expect(await claiming({ exp: S - 9 })).toBe('accepted')
    expect(await claiming({ nbf: S + 11 })).toBe('nbf')
    expect(await claiming({ nbf: S + 9 })).toBe('accepted')
    expect(await claiming({ iat: S + 11 })).toBe('iat')
    expect(await claiming({ iat: S + 9 })).toBe('accepted')
    expect(await claiming({ iat: 'now' })).toBe('iat')
  })

  it('[AUT-12] [AUT-13] has an object in it, with each claim once', async () => {
    const header = { alg: 'ES256', kid: 'k1' }
    expect(await reasonOf(compact(header, '[]', holder))).toBe('payload_not_object')
    expect(await reasonOf(compact(header, 'null', holder))).toBe('payload_not_object')
    const twice = JSON.stringify(claims).replace('}', ',"sub":"admin"}')
    expect(await reasonOf(compact(header, twice, holder))).toBe('duplicate_claim')
    const escaped = JSON.stringify(claims).replace('}', ',"s\\u0075b":"admin"}')
    expect(await reasonOf(compact(header, escaped, holder))).toBe('duplicate_claim')
    expect(await reasonOf(compact(header, JSON.stringify(claims), holder))).toBe('accepted')
  })

  it('[AUT-14] [AUT-18] is one compact JWS of at most 8 KiB, not packed and not extended', async () => {
    const token = jwt(holder, claims)
    const [head = '', body = '', tail = ''] = token.split('.')
    const json = JSON.stringify({ protected: head, payload: body, signature: tail })
    expect(await reasonOf([head, body, tail, head, body].join('.'))).toBe('format')
    expect(await reasonOf(json)).toBe('format')
    expect(await heading({ crit: ['x'], x: 1 })).toBe('format')
    expect(await heading({ b64: false, crit: ['b64'] })).toBe('format')
    expect(await heading({ zip: 'DEF' })).toBe('format')
    for (const size of [9_000, 100_000]) {
      expect(await claiming({ padding: 'x'.repeat(size) })).toBe('too_large')
    }
    expect(await reasonOf(token)).toBe('accepted')
  })

  it('[AUT-15] is of the type that this place takes', async () => {
    for (const typ of ['dpop+jwt', 'at+jwt', 'pdp-decision+jwt', 'jwt', 7]) {
      expect(await heading({ typ })).toBe('wrong_type')
    }
    expect(await heading({ typ: 'JWT' })).toBe('accepted')
  })

  it('[AUT-16] has a raw signature, by the key that is configured, under its algorithm', async () => {
    const token = jwt(holder, claims)
    const input = token.slice(0, token.lastIndexOf('.'))
    expect(await reasonOf(`${input}.${Buffer.alloc(64).toString('base64url')}`)).toBe(
      'bad_signature',
    )
    expect(await reasonOf(`${input}.MAYCAQECAQE`)).toBe('bad_signature')
    expect(await reasonOf(`${token}=`)).toBe('bad_signature')
    expect(await reasonOf(jwt(aHolder(), claims))).toBe('bad_signature')
    expect(await reasonOf(jwt(aHolder('RS256'), claims))).toBe('alg_not_allowed')
    expect(await reasonOf(token)).toBe('accepted')
  })

  it('is under the one algorithm that its key is published for', async () => {
    const rsa = aHolder('RS256')
    const pinned = { ...rsa, jwk: { ...rsa.jwk, alg: 'RS256' } }
    expect((await said(jwt(pinned, claims), {}, pinned)).reason).toBe('accepted')
    const pss = { ...pinned, alg: 'PS256' }
    expect((await said(jwt(pss, claims), {}, pinned)).reason).toBe('alg_not_allowed')
    expect((await said(jwt(pss, claims), {}, rsa)).reason).toBe('accepted')
  })
})

describe('whatever else is sent', () => {
  const part = fc.oneof(
    fc.base64String(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
  )
  it('is refused as a token, and breaks nothing', async () => {
    const token = fc.array(part, { minLength: 0, maxLength: 5 }).map((parts) => parts.join('.'))
    await fc.assert(
      fc.asyncProperty(fc.oneof(token, fc.string({ unit: 'binary' })), async (text) => {
        expect(await reasonOf(text)).not.toBe('accepted')
      }),
      { numRuns: 200, seed: 1 },
    )
  })
})

describe('a SPIFFE ID', () => {
  it.each([
    'spiffe://EXAMPLE.org/a',
    'spiffe://example.org/a/../admin',
    'spiffe://example.org/./a',
    'spiffe://example.org//a',
    'spiffe://example.org/%61',
    'spiffe://example.org/a/',
    'spiffe://example.org',
    'spiffe://example.org/',
    'spiffe://user@example.org/a',
    'spiffe://example.org:443/a',
    'spiffe://example.org/a?x',
    'spiffe://example.org/a#x',
    'SPIFFE://example.org/a',
    'https://example.org/a',
    `spiffe://example.org/${'a'.repeat(2048)}`,
    'spiffe://example.org/a\n',
  ])('[AUT-08] is exact: %s is none', (id) => {
    expect(trustDomainOf(id)).toBeNull()
  })

  it('[AUT-08] belongs to the trust domain it names, not to one that it begins like', () => {
    expect(trustDomainOf('spiffe://example.org/ns/prod/a')).toBe('example.org')
    expect(trustDomainOf('spiffe://example.org.evil/a')).toBe('example.org.evil')
  })
})
