import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { compactVerify, CompactSign, decodeProtectedHeader, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { sha256 } from '../../src/domain/digest.ts'
import { canonical, type JsonObject } from '../../src/domain/json.ts'
import {
  type KeySet,
  readToken,
  type SigningKey,
  signingKey,
  signToken,
  type TokenKind,
} from '../../src/domain/jws.ts'

const ISS = 'https://broker.example'
const NOW = new Date('2026-11-20T12:00:00Z')
const IAT = NOW.getTime() / 1000

function aKey(
  kid: string,
  alg: SigningKey['alg'] = 'ES256',
): SigningKey & { readonly privateKey: KeyObject } {
  const pair =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : generateKeyPairSync('ed25519')
  return { ...signingKey({ kid, alg, ...pair }), privateKey: pair.privateKey }
}
const es256 = aKey('ses-1')
const ed25519 = aKey('ses-2', 'Ed25519')
const signer = (...keys: [SigningKey, ...SigningKey[]]) => ({ issuer: ISS, keys: keys as KeySet })
const claims: JsonObject = { sub: 'spn_x', iat: IAT, exp: IAT + 60, jti: 'j' }
const at = { now: NOW }

/** Signs anything with our key, as jose would: what `signToken` would never write. */
async function forged(
  payload: string,
  header: Record<string, unknown> = {},
  { alg, kid, privateKey } = es256,
) {
  return await new CompactSign(Buffer.from(payload))
    .setProtectedHeader({ alg, kid, typ: 'at+jwt', ...header })
    .sign(privateKey)
}
const whole = { ...claims, iss: ISS, aud: ISS }
const reasonOf = (token: string, keys = signer(es256), kind: TokenKind = 'session') => {
  try {
    readToken(kind, token, keys, { now: NOW, audience: 'https://target.example' })
  } catch (error) {
    return error instanceof Error ? error.message : 'not an error'
  }
  return 'accepted'
}

describe('our own tokens', () => {
  it.each([es256, ed25519])('are read by jose as we wrote them ($alg)', async (key) => {
    const token = await signToken('session', claims, signer(key))
    const read = await jwtVerify(token, key.publicKey, {
      ...{ issuer: ISS, audience: ISS, typ: 'at+jwt', currentDate: NOW, algorithms: [key.alg] },
    })
    expect(read.payload).toEqual(whole)
    expect(decodeProtectedHeader(token)).toEqual({ alg: key.alg, kid: key.kid, typ: 'at+jwt' })
  })

  it.each([es256, ed25519])(
    'are read by us as jose wrote them, in canonical form ($alg)',
    async (key) => {
      const payload = Buffer.from(canonical(whole))
      // jose writes the header's members in the order given; ours is the canonical one.
      const token = await new CompactSign(payload)
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt' })
        .sign(key.privateKey)
      const read = readToken('session', token, signer(key), at)
      expect(read.claims).toEqual(whole)
      expect(read.tokenHash).toBe(sha256(token.slice(0, token.lastIndexOf('.'))))
    },
  )

  it('are signed with the first key and verified with any', async () => {
    const old = await signToken('session', claims, signer(es256))
    expect(readToken('session', old, signer(ed25519, es256), at).claims['jti']).toBe('j')
    expect(reasonOf(old, signer(ed25519))).toBe('kid')
  })

  it('take issuer and audience from the kind, whatever the claims say', async () => {
    const lie = { ...claims, iss: 'https://evil.example', aud: 'https://evil.example' }
    const { claims: said } = readToken(
      'decision',
      await signToken('decision', lie, signer(es256)),
      signer(es256),
      at,
    )
    expect(said).toMatchObject({ iss: `${ISS}/pdp`, aud: `${ISS}/cdp` })
  })

  it('[AUT-15] of one kind fail everywhere else, also under the same key', async () => {
    const ours = ['session', 'root', 'decision', 'consent', 'approval'] as const
    const kinds = [...ours, 'credential', 'identity', 'subject'] as const
    const aud = 'https://target.example'
    for (const written of kinds) {
      const token = await signToken(written, { ...claims, aud }, signer(es256))
      for (const expected of kinds) {
        const isSame = written === expected
        expect(
          reasonOf(token, signer(es256), expected) === 'accepted',
          `${written} as ${expected}`,
        ).toBe(isSame)
      }
    }
  })

  it('[AUT-01] [AUT-02] [AUT-03] carry the one algorithm of their key, and no other header', async () => {
    const [, payload = ''] = (await signToken('session', claims, signer(es256))).split('.')
    const none = `${Buffer.from('{"alg":"none","kid":"ses-1","typ":"at+jwt"}').toString('base64url')}.${payload}.`
    expect(reasonOf(none)).toBe('alg_not_allowed')
    expect(reasonOf(await forged(canonical(whole), { x5u: 'https://evil.example' }))).toBe(
      'header_not_allowed',
    )
    const other = await forged(canonical(whole), {}, { ...ed25519, kid: 'ses-1' })
    expect(reasonOf(other)).toBe('alg_not_allowed')
    expect(reasonOf(await forged(canonical(whole)))).toBe('accepted')
  })

  it('[AUT-16] are refused with a signature in DER, of zeros, or with padding', async () => {
    const token = await forged(canonical(whole))
    const input = token.slice(0, token.lastIndexOf('.'))
    const zeros = Buffer.alloc(64).toString('base64url')
    const der = Buffer.from([0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01]).toString('base64url')
    expect(reasonOf(`${input}.${zeros}`)).toBe('bad_signature')
    expect(reasonOf(`${input}.${der}`)).toBe('bad_signature')
    expect(reasonOf(`${token}=`)).toBe('bad_signature')
    expect(reasonOf(token)).toBe('accepted')
  })

  it('are refused when a byte differs from the canonical form, though the signature is right', async () => {
    expect(reasonOf(await forged(canonical(whole).replace('{', '{ ')))).toBe('non_canonical')
    expect(reasonOf(await forged(`{"aud":"${ISS}","aud":"${ISS}"}`))).toBe('duplicate_claim')
    expect(reasonOf(await forged('[]'))).toBe('payload_not_object')
    expect(reasonOf('a.b')).toBe('format')
    expect(reasonOf(`${await forged(canonical(whole))}.x`)).toBe('format')
  })

  it('live until exp, to the second, and never longer than their kind may', async () => {
    const token = await signToken('decision', claims, signer(es256))
    const reading = (ms: number) => () =>
      readToken('decision', token, signer(es256), { now: new Date(NOW.getTime() + ms) })
    expect(reading(59_999)).not.toThrow()
    expect(reading(60_000)).toThrow('expired')
    const long = await signToken('decision', { ...claims, exp: IAT + 61 }, signer(es256))
    expect(reasonOf(long, signer(es256), 'decision')).toBe('exp')
  })

  it('must say when they end, but for records of what a person did', async () => {
    const { exp: _, ...endless } = claims
    const evidence = await signToken('approval', endless, signer(es256))
    expect(reasonOf(evidence, signer(es256), 'approval')).toBe('accepted')
    expect(reasonOf(await signToken('session', endless, signer(es256)))).toBe('exp')
    expect(
      reasonOf(await signToken('consent', endless, signer(es256)), signer(es256), 'consent'),
    ).toBe('exp')
    expect(reasonOf(await signToken('session', { ...claims, exp: '1' }, signer(es256)))).toBe('exp')
  })

  it('name their signature input by its hash', async () => {
    const token = await signToken('session', claims, signer(es256))
    const { payload } = await compactVerify(token, es256.publicKey)
    expect(Buffer.from(payload).toString()).toBe(canonical(whole))
  })
})
