/** A started broker that has no key of AWS, and an STS that looks up by itself whom it believes. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { type AwsEndpoint, anAwsEndpoint } from '../fakes/aws-endpoint.ts'
import { checkLeaks } from '../lines/leaks.ts'
import { freshDatabase, freshTarget, type TestDatabase } from '../pg/database.ts'
import { type BrokerProcess, startBroker } from './broker.ts'
import { aHouse, aRun, callers, type House } from './house.ts'
import { RULES, TOOL } from './reports.ts'

let sts: AwsEndpoint
let database: TestDatabase
let home: House
let broker: BrokerProcess

beforeAll(async () => {
  sts = await anAwsEndpoint()
  const target = await freshTarget()
  database = await freshDatabase()
  const shop = { url: target.url, database: target.name, ending: target.role('') }
  home = await aHouse({ databaseUrl: database.url, shop })
  declare()
  broker = await startBroker(home.env)
})
afterAll(async () => {
  broker.signal('SIGKILL')
  await Promise.all([broker.ended, sts.close()])
})

it('hands out a session for what it says of itself, which can be looked up, and is kept nowhere', async () => {
  const run = await aRun(callers(home, broker.issuer).as('ana'), broker.issuer, {
    ...{ tools: ['reports.read'], purpose: 'reporting' },
  })
  const asked = { tool: 'reports.read', arguments: { customer: '7' } }
  expect(await run.client.requestCredential(asked)).toMatchObject({
    ...{ status: 'active', credential: { kind: 'aws', access_key_id: 'ASIAMADEBYTHEFAKE' } },
  })
  const [{ form, authorization } = { form: new URLSearchParams(), authorization: '-' }] = sts.asked
  expect(authorization).toBe('')
  const token = form.get('WebIdentityToken') ?? ''

  // As anybody does who is told nothing but the issuer.
  const issuer = `${broker.issuer}/identity`
  const found = await fetch(`${issuer}/.well-known/openid-configuration`)
  const document = (await found.json()) as Record<'issuer' | 'jwks_uri', string>
  expect(document.issuer).toBe(issuer)
  const keys = createRemoteJWKSet(new URL(document.jwks_uri))
  const expected = { issuer, audience: 'sts.amazonaws.com', typ: 'JWT', algorithms: ['ES256'] }
  const { payload } = await jwtVerify(token, keys, expected)
  expect(payload.sub).toBe('procura:reports')

  const [, , signature = token] = token.split('.')
  await checkLeaks({ brokers: [broker], database }, new Set([token, signature]))
  const [{ secrets } = { secrets: -1 }] = await database.query<{ secrets: number }>(
    `select count(*)::int as secrets from procura.connector_secret where target = 'reports'`,
  )
  expect(secrets).toBe(0)
})

function declare(): void {
  const { PROCURA_POLICIES: policies = '', PROCURA_TRUST: trust = '' } = home.env
  writeFileSync(join(policies, 'tools', 'reports.read.yaml'), TOOL)
  writeFileSync(join(policies, 'reports.cedar'), RULES)
  const file = JSON.parse(readFileSync(trust, 'utf8')) as { targets: JsonObject }
  const reports = {
    ...{ connector: 'aws-sts', role_arn: 'arn:aws:iam::123456789012:role/reports' },
    ...{ region: 'eu-west-1', endpoint: sts.url, allow_http: true, credentials: 'web_identity' },
  }
  const targets = { ...file.targets, reports }
  writeFileSync(trust, JSON.stringify({ ...file, targets }))
}
