// In a file of its own: what the SDK has once looked for, it does not look for again.
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { within } from '../../src/delivery/deadline.ts'
import { type AwsEndpoint, anAwsEndpoint, failure, xml } from '../fakes/aws-endpoint.ts'
import { intentFor, targetAt } from './aws-target.ts'

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
    const target = targetAt(endpoint.url)
    endpoint.answer = (res) => {
      xml(res, 500, failure('InternalFailure'))
    }
    await expect(
      within(3000, (signal) => target.issue(intentFor('7'), signal)).finally(() => {
        letGo(pipe)
      }),
    ).rejects.toThrow('500')
    expect(endpoint.asked).toHaveLength(1)
    expect(endpoint.asked[0]?.authorization).toMatch(/AKIAOFTHEBROKER00\/\d{8}\/eu-west-1\/sts\//)
  })
})

function letGo(pipe: string): void {
  const opened = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
  closeSync(opened)
}
