/** What was decided and cannot be signed, for its key is in a token that is away. */
import { expect, it } from 'vitest'
import { createTokens } from '../../src/delivery/proxy/tokens.ts'
import type { Inject } from '../../src/delivery/connectors/http/settings.ts'
import { unavailable } from '../../src/domain/problems.ts'
import { anIntent, aSigner, HOUSE } from './bench.ts'
import { aWorld, issue, leaves, spend, stateOf, used } from './world.ts'

const away = () => Promise.reject(unavailable('keys', new Error('the token is not there')))

it('a credential is not issued: 503, on record as failed, given back, and the next one is', async () => {
  const world = await aWorld()
  const { keys } = world.credentialKeys
  const ids = world.claims() as { jti: string; credential_id: string }
  await spend(world.db, ids.jti)
  Object.assign(world.credentialKeys, { keys: [{ ...keys[0], sign: away }] })
  const { jti, credential_id } = ids
  await expect(issue(world, { jti, credential_id })).rejects.toMatchObject({
    code: 'unavailable',
    shown: {
      ...{ decision: jti, evaluation: { unavailableInput: 'keys' }, retryAfterSeconds: 2 },
      fix: expect.stringContaining('nothing was issued') as string,
    },
  })
  expect(await stateOf(world.db, credential_id)).toMatchObject({ state: 'failed' })
  expect(await leaves(world.db)).toMatchObject([{ event_type: 'issuance_failed' }])
  expect(await used(world.db)).toBe(0)

  Object.assign(world.credentialKeys, { keys })
  const { token, lease } = await issue(world)
  expect(token).not.toBe('')
  expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'active' })
})

it('a call whose subject nobody can sign is told before its lease is spent on it', async () => {
  const world = await aWorld()
  const { issuer, keys } = aSigner()
  const credentials = {
    issuer,
    keys: [{ ...keys[0], inToken: { prove: away, look: away } }] as const,
  }
  const store = { current: away, wrap: away, unwrap: away }
  const tokens = createTokens({
    tenant: 'main',
    pool: world.pool,
    keys: store,
    credentials,
    clock: HOUSE.clock,
  })
  const inject = { token_exchange: { token_url: 'https://as.example/token', client_id: 'broker' } }
  await expect(tokens.check(inject as Inject, anIntent())).rejects.toMatchObject({
    code: 'unavailable',
    shown: { evaluation: { unavailableInput: 'keys' } },
  })
})
