// In a file of its own: what the SDK has once looked for, it does not look for again.
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { within } from '../../src/delivery/deadline.ts'
import type { Target } from '../../src/delivery/targets.ts'
import { type AwsEndpoint, anAwsEndpoint, failure, xml } from '../fakes/aws-endpoint.ts'
import { keylessTarget } from './aws-issuer.ts'
import { intentFor, ROLE, targetAt } from './aws-target.ts'
import { aSigner } from './bench.ts'

let endpoint: AwsEndpoint
beforeAll(async () => {
  endpoint = await anAwsEndpoint()
})
afterAll(() => endpoint.close())

describe("this machine's own settings for AWS", () => {
  const before = { ...process.env }
  const folder = mkdtempSync(join(tmpdir(), 'procura-aws-'))
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })
  afterEach(() => {
    for (const name of Object.keys(process.env)) {
      if (!(name in before)) Reflect.deleteProperty(process.env, name)
    }
    Object.assign(process.env, before)
  })

  it('are not even read, and change nothing of what is sent, to whom, by whom and how often', async () => {
    // Whoever opens a pipe that nobody writes to waits there.
    const pipe = join(folder, 'config')
    execFileSync('mkfifo', [pipe])
    const elsewhere = 'http://127.0.0.1:1'
    Object.assign(process.env, {
      ...{ AWS_CONFIG_FILE: pipe, AWS_SHARED_CREDENTIALS_FILE: pipe, HOME: folder },
      ...{ AWS_REGION: 'us-west-2', AWS_ENDPOINT_URL: elsewhere, AWS_ENDPOINT_URL_STS: elsewhere },
      ...{ AWS_ACCESS_KEY_ID: 'AKIAOFTHEMACHINE0', AWS_SECRET_ACCESS_KEY: 'x' },
      ...{ AWS_SESSION_TOKEN: 'x', AWS_USE_FIPS_ENDPOINT: 'true', AWS_MAX_ATTEMPTS: '5' },
    })
    const [target, keyless] = [targetAt(endpoint.url), keylessAt(endpoint.url)]
    endpoint.answer = (res) => {
      xml(res, 500, failure('InternalFailure'))
    }
    const issued = (by: Target) => within(3000, (signal) => by.issue(intentFor('7'), signal))
    const both = Promise.allSettled([issued(target), issued(keyless)]).finally(() => {
      letGo(pipe)
    })
    for (const one of await both) expect(one).toMatchObject({ reason: { message: /500/ } })
    const signed = endpoint.asked.map(({ authorization }) => authorization).sort()
    expect(signed).toEqual([
      '',
      expect.stringMatching(/AKIAOFTHEBROKER00\/\d{8}\/eu-west-1\/sts\//),
    ])
  })
})

const keylessAt = (url: string) =>
  keylessTarget({ role_arn: ROLE, region: 'eu-west-1', allow_http: true, endpoint: url }, aSigner())

function letGo(pipe: string): void {
  const opened = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  closeSync(opened)
}
