import { describe, expect, it } from 'vitest'
import { identityToken } from '../../src/delivery/connectors/aws-sts/web-identity.ts'
import type { Act, By } from '../../src/domain/request.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import { readToken } from '../../src/domain/jws.ts'
import { ARGS, AUDIENCE } from './bench.ts'
import { aWorld, issue, now, payments, stateOf } from './world.ts'

const act: Act = {
  ...{ requestId: 'req-2', face: 'native' },
  actor: { kind: 'service', id: 'payments', authentication: 'service_assertion' },
}
const by: By = { act, origin: { address: '127.0.0.1', userAgent: null }, key: null }

describe('what the broker says of itself to STS', () => {
  it('is no credential, to introspection or redemption, under the same key and with the same claims', async () => {
    const world = await aWorld()
    const { token, lease } = await issue(world)
    const { iss: _, ...claims }: JsonObject = readToken('credential', token, world.credentialKeys, {
      ...{ now: now(), audience: AUDIENCE },
    }).claims
    const speaker = { identity: world.credentialKeys, clock: now }
    const said = (await identityToken(speaker, claims)).reveal()
    const call = { tool: 'payments.refund', argsHash: ARGS, dpop: null }
    expect(await world.introspect(payments, said)).toBeNull()
    await expect(
      world.credentials.redeem(payments, { ...call, token: said }, by),
    ).rejects.toMatchObject({ code: 'not_found' })
    expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'active' })

    expect(await world.introspect(payments, token)).toMatchObject({ jti: lease.id })
    await world.credentials.redeem(payments, { ...call, token }, by)
    expect(await stateOf(world.db, lease.id)).toMatchObject({ state: 'redeemed' })
  })
})
