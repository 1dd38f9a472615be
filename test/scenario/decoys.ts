/** Decoys over real HTTP: planted as an operator does, and shown wherever a token can be. */
import { randomUUID } from 'node:crypto'
import { AUDIENCE, SERVICE } from '../../src/cli/dev/trust.ts'
import { plantDecoy } from '../../src/cli/planting.ts'
import { canonical } from '../../src/domain/json.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { TestDatabase } from '../pg/database.ts'
import { seenOf } from './alike.ts'
import type { House } from './house.ts'

export interface Broker {
  readonly home: House
  readonly database: TestDatabase
  readonly issuer: string
}

export async function aDecoy({ home, database, issuer }: Broker, holder: string) {
  const at = { databaseUrl: new Secret(database.url), tenant: 'main', keysDir: home.keysDir }
  const { id, token } = await plantDecoy(
    at,
    {
      ...{ issuer, holder, audience: AUDIENCE, label: 'in its home', seconds: 90 * 86_400 },
      ...{ tool: 'payments.refund', purpose: 'support.refunds' },
    },
    new Date(),
  )
  return { id, token: token.reveal() }
}

/** What a target may do with a token. */
export const DOORS = ['introspect', 'redeem', 'revoke'] as const

/** For the very call that it says it is for; all that comes back. */
export async function show(
  { home, issuer }: Broker,
  token: string,
  door: (typeof DOORS)[number],
  port: number | null = null,
) {
  const now = Math.floor(Date.now() / 1000)
  const assertion = home.serviceKey.sign('client-authentication+jwt', {
    ...{ iss: SERVICE, sub: SERVICE, aud: issuer, iat: now, exp: now + 60, jti: randomUUID() },
  })
  const origin = port === null ? issuer : `http://127.0.0.1:${String(port)}`
  if (door === 'redeem') {
    const body = { token, tool: 'payments.refund', args_hash: argsOf(token), proof_checked: true }
    const headers = { authorization: `Bearer ${assertion}`, 'idempotency-key': randomUUID() }
    return await seenOf(
      await fetch(`${origin}/v1/redemptions`, {
        ...{ method: 'POST', body: canonical(body) },
        headers: { ...headers, 'content-type': 'application/json' },
      }),
    )
  }
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  const form = { client_assertion_type: type, client_assertion: assertion, token }
  const body = new URLSearchParams(form)
  return await seenOf(await fetch(`${origin}/oauth/${door}`, { method: 'POST', body }))
}

function argsOf(token: string): string {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    authorization_details: [{ args_hash: string }]
  }
  return claims.authorization_details[0].args_hash
}
