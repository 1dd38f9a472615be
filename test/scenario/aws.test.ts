/** A started broker, a tool that a file declares, and a real STS and S3 behind it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sealTarget } from '../../src/cli/seal-target.ts'
import { Refused } from '../../src/client/errors.ts'
import { isObject, type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { Secret } from '../../src/domain/secret.ts'
import { procura } from '../cli/run.ts'
import { anAwsTarget, type AwsTarget, fill, get, storedKeys } from '../delivery/aws-rgw.ts'
import { type CephRgw, startCephRgw, whyNoCephRgw } from '../parts/ceph-rgw.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { type BrokerProcess, startBroker } from './broker.ts'
import { aHouse, aRun, callers, eventually, type House } from './house.ts'
import { RULES, TOOL } from './reports.ts'

const why = whyNoCephRgw === null ? '' : `, not run: ${whyNoCephRgw}`

const CONSENT: JsonObject = { tools: ['reports.read'], purpose: 'reporting' }
const wanting = (customer: string, more: JsonObject = {}) => ({
  ...{ tool: 'reports.read', arguments: { customer, ...more } },
})

let rgw: CephRgw
let at: AwsTarget
let home: House
let broker: BrokerProcess
let by: ReturnType<typeof callers>

describe.skipIf(why !== '')(`a call that reads from S3, at a Ceph RADOS Gateway${why}`, () => {
  beforeAll(async () => {
    rgw = await startCephRgw()
    at = await anAwsTarget(rgw)
    await fill(at.owner, ['7/a', '77/a'])
    const [database, target] = [await freshDatabase(), await freshTarget()]
    const shop = { url: target.url, database: target.name, ending: target.role('') }
    home = await aHouse({ databaseUrl: database.url, shop })
    await declare(database.url)
    broker = await startBroker(home.env)
    by = callers(home, broker.issuer)
  })
  afterAll(async () => {
    await rgw.end()
  })

  it('goes from a consent to a session that reads what was asked for, and ends with it', async () => {
    const run = await aRun(by.as('ana'), broker.issuer, CONSENT)
    const answer = await run.client.requestCredential(wanting('7'))
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    const session = sessionOf(answer.credential)
    expect(await get(session, '7/a')).toBe('ok')
    expect(await get(session, '77/a')).toBe(403)

    expect(await run.client.giveBack(answer.id)).toMatchObject({ status: 'returned' })
    expect(await get(session, '7/a')).toBe(403)
  })

  it('[REV-01] ends when what it rests on is withdrawn', async () => {
    const [ana, run] = [by.as('ana'), await aRun(by.as('ana'), broker.issuer, CONSENT)]
    const answer = await run.client.requestCredential(wanting('7'))
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    const session = sessionOf(answer.credential)
    expect(await get(session, '7/a')).toBe('ok')
    await ana.post('/v1/revocations', {
      ...{ target: { kind: 'consent', id: run.consent }, cause: 'withdrawn' },
    })
    await eventually('its end', async () => (await get(session, '7/a')) === 403)
  })

  it('[REV-01] ends with every other of its role when an operator pulls the brake', async () => {
    const run = await aRun(by.as('ana'), broker.issuer, CONSENT)
    const answer = await run.client.requestCredential(wanting('7'))
    if (answer.status !== 'active') throw new Error('nobody was to be asked')
    const { code, stdout, stderr } = await procura(['target', 'brake', 'reports'], {
      env: home.env,
    })
    expect(stderr).toBe('')
    expect(stdout).toContain('braked')
    expect(code).toBe(0)
    expect(await get(sessionOf(answer.credential), '7/a')).toBe(403)
    await eventually('a new one', async () => {
      const next = await run.client.requestCredential(wanting('7'))
      return next.status === 'active' && (await get(sessionOf(next.credential), '7/a')) === 'ok'
    })
  })

  it('[DEL-02] takes no role from whoever asks, wherever it is written', async () => {
    const run = await aRun(by.as('ana'), broker.issuer, CONSENT)
    const role = 'arn:aws:iam::999999999999:role/Admin'
    const refusal = async (asked: Parameters<typeof run.client.requestCredential>[0]) => {
      const error = await run.client.requestCredential(asked).catch((caught: unknown) => caught)
      if (!(error instanceof Refused)) throw new Error('it was not refused', { cause: error })
      return { status: error.status, code: error.code }
    }
    const unknown = { status: 422, code: 'schema_violation' }
    expect(await refusal(wanting('7', { role_arn: role }))).toMatchObject({ status: 422 })
    expect(await refusal({ ...wanting('7'), role_arn: role } as never)).toEqual(unknown)
    expect(await refusal(wanting(''))).toMatchObject({ status: 403 })
    // As an argument it is the name of a customer, which this gateway does not take in a policy.
    expect(await refusal(wanting(role))).toEqual({ status: 502, code: 'downstream_failed' })
    expect(await run.client.requestCredential(wanting('7'))).toMatchObject({ status: 'active' })
  })
})

async function declare(databaseUrl: string): Promise<void> {
  const { PROCURA_POLICIES: policies = '', PROCURA_TRUST: trust = '' } = home.env
  writeFileSync(join(policies, 'tools', 'reports.read.yaml'), TOOL)
  writeFileSync(join(policies, 'reports.cedar'), RULES)
  const trusted = parseTrusted(readFileSync(trust, 'utf8'))
  const targets = isObject(trusted) && isObject(trusted['targets']) ? trusted['targets'] : {}
  const file = { ...(trusted as JsonObject), targets: { ...targets, reports: at.settings } }
  writeFileSync(trust, JSON.stringify(file))
  await sealTarget(
    {
      ...{ databaseUrl: new Secret(databaseUrl), tenant: 'main', sealKey: null },
      keysDir: home.keysDir,
    },
    'reports',
    new Secret(storedKeys(rgw.admin)),
  )
}

/** As the agent makes it of what it was told. */
function sessionOf(credential: unknown): S3Client {
  const { kind, access_key_id, secret_access_key, session_token, region, ...more } =
    credential as Record<string, string>
  expect({ kind, more }).toEqual({ kind: 'aws', more: {} })
  return new S3Client({
    ...{ endpoint: rgw.endpoint, region: region ?? '', forcePathStyle: true, maxAttempts: 1 },
    credentials: {
      ...{ accessKeyId: access_key_id ?? '', secretAccessKey: secret_access_key ?? '' },
      sessionToken: session_token ?? '',
    },
  })
}
