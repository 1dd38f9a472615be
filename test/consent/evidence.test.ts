import { generateKeyPairSync } from 'node:crypto'
import { expect, it } from 'vitest'
import { termsBody } from '../../src/domain/consent.ts'
import { sha256 } from '../../src/domain/digest.ts'
import { readToken, type Signer, signingKey } from '../../src/domain/jws.ts'
import { evidenceHashOf, signEvidence } from '../../src/consent/evidence.ts'
import { aConsent, NOW } from '../fakes/settled.ts'

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const signer: Signer = {
  issuer: 'https://broker.example',
  keys: [signingKey({ kid: 'evd-1', alg: 'ES256', ...pair })],
}

it('the token that proves a consent says who agreed to what, from when until when', async () => {
  const consent = aConsent({ createdAt: new Date(NOW.getTime() + 999) })
  const { claims } = readToken('consent', await signEvidence(consent, signer), signer, { now: NOW })
  expect(claims).toMatchObject({
    ...{ sub: consent.sponsor, jti: consent.id, iat: NOW.getTime() / 1000 },
    ...{ exp: consent.terms.expiresAt.getTime() / 1000, method: 'session' },
    ...{ terms: termsBody(consent.terms), terms_hash: consent.termsHash },
  })
})

it('its hash is of header and payload: a signature made anew is the same evidence', async () => {
  const [head = '', body = ''] = (await signEvidence(aConsent(), signer)).split('.')
  expect(evidenceHashOf(`${head}.${body}.one`)).toBe(sha256(`${head}.${body}`))
  expect(evidenceHashOf(`${head}.${body}.another`)).toBe(sha256(`${head}.${body}`))
})
