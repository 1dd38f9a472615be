import { exportJWK, importJWK, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { NoEffect } from '../../src/delivery/connector.ts'
import { createConnectors } from '../../src/delivery/connectors.ts'
import { createTargets } from '../../src/delivery/targets.ts'
import type { Intent } from '../../src/domain/lease.ts'
import type { Secret } from '../../src/domain/secret.ts'
import { keepsItsPromises } from '../contract/connector.ts'
import { anIntent, ARGS, aSigner, AUDIENCE, ISSUER, HOUSE } from './bench.ts'

const signer = aSigner()
const signal = AbortSignal.timeout(60_000)

function aTarget() {
  const secrets = { use: () => Promise.reject(new Error('none is needed')) }
  const kinds = createConnectors({ credentials: signer, secrets, owner: 'me', ...HOUSE })
  const declared = { payments: { connector: 'jwt', audience: AUDIENCE } }
  const target = createTargets(kinds, declared).get('payments')
  if (target === undefined) throw new Error('no target')
  return target
}
const mint = (of: Partial<Intent> = {}) => aTarget().issue(anIntent(of), signal)

describe('the jwt connector', () => {
  keepsItsPromises(() =>
    Promise.resolve({
      target: aTarget(),
      intent: anIntent,
      works: null,
      exists: () => Promise.resolve(false),
    }),
  )

  it('mints exactly what RFC 9068 and the contract name, as another library reads it', async () => {
    const intent = anIntent()
    const { credential } = await aTarget().issue(intent, signal)
    const token = credential['token'] as Secret
    const key = await importJWK(await exportJWK(signer.keys[0].publicKey), 'ES256')
    const { payload, protectedHeader } = await jwtVerify(token.reveal(), key, {
      ...{ issuer: `${ISSUER}/credentials`, audience: AUDIENCE, typ: 'at+jwt' },
    })
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: 'k-1', typ: 'at+jwt' })
    expect(credential['token_type']).toBe('DPoP')
    expect(payload).toEqual({
      ...{ iss: `${ISSUER}/credentials`, aud: AUDIENCE, sub: intent.sponsor },
      ...{ client_id: intent.agent, act: intent.act, jti: intent.lease, cnf: { jkt: intent.jkt } },
      iat: Math.floor(intent.issuedAt.getTime() / 1000),
      exp: intent.expiresAt.getTime() / 1000,
      authorization_details: [
        {
          ...{ type: 'tool_call', tool: intent.tool, args_hash: ARGS, purpose: intent.purpose },
          ...{ max_uses: 1, locations: [AUDIENCE] },
        },
      ],
    })
  })

  it.each(['sub', 'aud', 'exp', 'iss', 'jti', 'cnf', 'act', 'client_id', 'authorization_details'])(
    '[DEL-18] refuses a declaration that sets %s, and adds one that sets its own',
    async (claim) => {
      const permissions = { audience: AUDIENCE, claims: { [claim]: 'mine' } }
      await expect(mint({ permissions })).rejects.toThrow(NoEffect)
      await mint({ permissions: { audience: AUDIENCE, claims: { order: 'EU-1' } } })
    },
  )

  it('refuses a grant for another audience than the one that is configured', async () => {
    await mint()
    const permissions = { audience: 'https://elsewhere.example' }
    await expect(mint({ permissions })).rejects.toThrow(NoEffect)
  })
})

describe('the targets', () => {
  const kinds = createConnectors({
    ...{ credentials: signer, owner: 'me', ...HOUSE },
    secrets: { use: () => Promise.reject(new Error('none is needed')) },
  })
  it.each([
    ['an unknown connector', { x: { connector: 'ftp' } }, 'names no connector'],
    ['a wrong setting', { x: { connector: 'jwt', audience: '' } }, 'audience'],
    ['an unknown setting', { x: { connector: 'jwt', audience: 'a', aud: 'b' } }, 'aud'],
    ['no prepared role', { x: { connector: 'postgres', host: 'h', database: 'd' } }, 'group_roles'],
  ])('are refused at the start with %s', (_what, declared, said) => {
    expect(() => createTargets(kinds, declared)).toThrow(said)
  })
})
