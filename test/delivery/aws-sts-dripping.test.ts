import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { brakeRole } from '../../src/delivery/connectors/aws-sts/brake.ts'
import { Settings } from '../../src/delivery/connectors/aws-sts/settings.ts'
import { Silent } from '../../src/delivery/connector.ts'
import { NotAskedFor } from '../../src/delivery/seal.ts'
import { type AwsEndpoint, anAwsEndpoint, failure, xml } from '../fakes/aws-endpoint.ts'
import { keylessTarget, NOTHING_STORED } from './aws-issuer.ts'
import { intentFor, ROLE } from './aws-target.ts'
import { aSigner, now, until } from './bench.ts'

const SILENT = new Silent('The target: no answer')
const REVOKER = 'arn:aws:iam::123456789012:role/procura-revoker'
const identity = aSigner()

let endpoint: AwsEndpoint
let healthy: AwsEndpoint['answer']
beforeAll(async () => {
  // How long it takes to load them is no matter.
  await Promise.all([import('@aws-sdk/client-iam'), import('@aws-sdk/client-sts')])
  endpoint = await anAwsEndpoint()
  healthy = (res, form) => {
    if (form.get('Action') === 'GetRolePolicy') xml(res, 404, failure('NoSuchEntity'))
    else if (form.get('Action') === 'PutRolePolicy') xml(res, 200, '<PutRolePolicyResponse/>')
    else sessions(res, form)
  }
  const sessions = endpoint.answer
})
beforeEach(() => {
  endpoint.asked.length = 0
})
afterAll(() => endpoint.close())

const settings = () => ({
  ...{ role_arn: ROLE, revoker_role_arn: REVOKER, kill_switch: 'role_policy', settle_seconds: 0 },
  ...{ region: 'eu-west-1', endpoint: endpoint.url, allow_http: true },
})
const brake = (more: object = {}, secrets = NOTHING_STORED) => {
  const own = Settings.parse({ ...settings(), credentials: 'web_identity', ...more })
  const at = { name: 'reports', lease: null, settings: own }
  return brakeRole({ secrets, identity, clock: now, at })
}
const failed = (of: Promise<unknown>) => of.then(String, (error: unknown) => error)

describe('an STS that begins an answer and never ends it', () => {
  it('holds up neither the end of sessions once it is well again, nor the brake', async () => {
    endpoint.answer = (res) => {
      res.writeHead(200, { 'Content-Type': 'text/xml' }).write('<')
    }
    const target = keylessTarget({ ...settings(), limits: { concurrent: 1 } }, identity)
    const revoke = (milliseconds: number) => {
      const { downstreamName, expiresAt } = intentFor('7')
      return target.revoke(downstreamName, AbortSignal.timeout(milliseconds), expiresAt)
    }
    const since = performance.now()
    const braked = failed(brake())
    // The place of each is given back when it is waited for no longer, and not when STS has been.
    expect(await failed(revoke(200))).toEqual(SILENT)
    expect(await failed(revoke(200))).toEqual(SILENT)
    expect(performance.now() - since).toBeLessThan(2000)
    await until(() => Promise.resolve(endpoint.asked.length >= 2))
    endpoint.answer = healthy
    expect(await revoke(5000)).toEqual({ found: true })
    expect(await braked).toEqual(SILENT)
    expect(performance.now() - since).toBeLessThan(6000)
  })
})

describe('a brake that cannot be pulled', () => {
  it.each(['AssumeRoleWithWebIdentity', 'PutRolePolicy'])(
    'says what was answered to %s, and no word of it',
    async (action) => {
      endpoint.answer = (res, form) => {
        if (form.get('Action') === action) xml(res, 403, failure('AccessDenied'))
        else healthy(res, form)
      }
      const error = await failed(brake())
      expect(String(error)).toBe('Error: The target answered 403')
    },
  )

  it('says why a stored key is not given out, and asks nobody', async () => {
    const why = new NotAskedFor('nothing on record needs it')
    const stored = { credentials: 'stored', kill_switch: 'none', revoker_role_arn: undefined }
    const refused = { use: () => Promise.reject(why) }
    expect(await failed(brake(stored, refused))).toBe(why)
    expect(endpoint.asked).toHaveLength(0)
  })
})
