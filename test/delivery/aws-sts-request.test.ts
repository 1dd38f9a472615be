import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NoEffect } from '../../src/delivery/connector.ts'
import { within } from '../../src/delivery/deadline.ts'
import { sha256 } from '../../src/domain/digest.ts'
import type { Intent } from '../../src/domain/lease.ts'
import { type AwsEndpoint, anAwsEndpoint, failure, xml } from '../fakes/aws-endpoint.ts'
import { intentFor, ROLE, targetAt, toRead } from './aws-target.ts'
import { WHO } from './bench.ts'

let endpoint: AwsEndpoint
let healthy: AwsEndpoint['answer']
beforeAll(async () => {
  endpoint = await anAwsEndpoint()
  healthy = endpoint.answer
})
beforeEach(() => {
  endpoint.answer = healthy
  endpoint.asked.length = 0
})
afterAll(() => endpoint.close())

const issue = (intent: Intent, more: object = {}, milliseconds = 3000) =>
  within(milliseconds, (signal) => targetAt(endpoint.url, more).issue(intent, signal))

describe('what STS is sent', () => {
  it('is one request, every member of which is ours but the values in the policy', async () => {
    const intent = intentFor('7', { chain: { depth: 1, leaf: sha256('leaf'), delegation_id: 'x' } })
    const { credential } = await issue(intent, { external_id: 'ours-1' })
    expect(credential).toMatchObject({ access_key_id: 'ASIAMADEBYTHEFAKE', region: 'eu-west-1' })
    const [asked, another] = endpoint.asked
    expect(another).toBeUndefined()
    expect(asked?.authorization).toMatch(/AKIAOFTHEBROKER00\/\d{8}\/eu-west-1\/sts\//)
    const tags = { sponsor: WHO.sponsor, agent: WHO.agent, purpose: intent.purpose }
    const marked = Object.entries({ ...tags, chain: sha256('leaf') }).flatMap(
      ([key, value], at) => [
        [`Tags.member.${String(at + 1)}.Key`, `procura:${key}`],
        [`Tags.member.${String(at + 1)}.Value`, value],
        [`TransitiveTagKeys.member.${String(at + 1)}`, `procura:${key}`],
      ],
    )
    const { Policy, ...sent } = Object.fromEntries(asked?.form ?? [])
    expect(sent).toEqual({
      ...{ Action: 'AssumeRole', Version: '2011-06-15', DurationSeconds: '900', RoleArn: ROLE },
      ...{ RoleSessionName: intent.downstreamName, ExternalId: 'ours-1' },
      ...{ SourceIdentity: WHO.sponsor, ...Object.fromEntries(marked) },
    })
    expect(JSON.parse(Policy ?? '')).toEqual(policyOf('7', intent))
  })

  it('[DEL-01] names a session as we do, and as STS takes it', async () => {
    await issue(intentFor('7'))
    expect(endpoint.asked[0]?.form.get('RoleSessionName')).toMatch(/^cb_[a-z2-7]{26}$/)
    for (const downstreamName of ['a/b', `cb_${'a'.repeat(62)}`, 'cb_\n', 'cb_agent']) {
      await expect(issue(intentFor('7', { downstreamName }))).rejects.toThrow(NoEffect)
    }
    expect(endpoint.asked).toHaveLength(1)
  })

  it.each([
    ['*', '${*}'],
    ['x/*","Resource":"*', 'x/${*}","Resource":"${*}'],
    ['${aws:userid}?', '${$}{aws:userid}${?}'],
    ['arn:aws:iam::999999999999:role/Admin', 'arn:aws:iam::999999999999:role/Admin'],
    ['größe/日本', 'größe/日本'],
  ])(
    '[DEL-02, DEL-04] holds the argument %j as a value, and is otherwise the same',
    async (value, written) => {
      const intent = intentFor(value)
      await issue(intent)
      const form = endpoint.asked[0]?.form
      expect(form?.get('RoleArn')).toBe(ROLE)
      expect(JSON.parse(form?.get('Policy') ?? '')).toEqual(policyOf(written, intent))
      expect(form?.get('Policy')).toMatch(/^[ -~]+$/)
    },
  )

  it('has no tags where the target has them off, and waits for as long as STS makes it', async () => {
    await issue(intentFor('7', { ttlSeconds: 1800 }), { tags: 'off', min_session_seconds: 1000 })
    const names = [...(endpoint.asked[0]?.form.keys() ?? [])]
    expect(names.some((name) => /Tag|SourceIdentity/.test(name))).toBe(false)
    expect(endpoint.asked[0]?.form.get('DurationSeconds')).toBe('1800')
  })
})

describe('no session is asked for', () => {
  it('[DEL-05] with a policy that is longer than STS takes, nor ever without one', async () => {
    await issue(intentFor('x'.repeat(1024)))
    await expect(issue(intentFor('ä'.repeat(400)))).rejects.toThrow(NoEffect)
    expect(endpoint.asked).toHaveLength(1)
    endpoint.answer = (res) => {
      xml(res, 400, failure('PackedPolicyTooLarge'))
    }
    await expect(issue(intentFor('7'))).rejects.toThrow(NoEffect)
    expect(endpoint.asked).toHaveLength(2)
    expect(endpoint.asked.every(({ form }) => form.has('Policy'))).toBe(true)
  })

  const resource = { arn: 'arn:aws:s3:::reports/', value: '7' }
  it.each<[string, object]>([
    ['no statements', { statements: [] }],
    ['no actions', { statements: [{ actions: [], resources: [resource] }] }],
    ['no resources', { statements: [{ actions: ['s3:GetObject'], resources: [] }] }],
    ['every action', { statements: [{ actions: ['*'], resources: [resource] }] }],
    ['a pattern of actions', { statements: [{ actions: ['s3:*'], resources: [resource] }] }],
    ['another role', { statements: [{ actions: ['sts:AssumeRole'], resources: [resource] }] }],
    ['every resource', { statements: [{ actions: ['s3:GetObject'], resources: [{ arn: '*' }] }] }],
    ['an empty value', toRead('')],
    ['a role of its own', { ...toRead('7'), role_arn: ROLE }],
  ])('for a grant of %s', async (_what, given) => {
    const intent = intentFor('7', { permissions: given as Intent['permissions'] })
    await expect(issue(intent)).rejects.toThrow(NoEffect)
    expect(endpoint.asked).toHaveLength(0)
  })

  it('for an argument that the endpoint has no way to write', async () => {
    await expect(issue(intentFor('a*'), { wildcards: 'refused' })).rejects.toThrow(NoEffect)
    await issue(intentFor('a'), { wildcards: 'refused' })
    expect(endpoint.asked).toHaveLength(1)
  })
})

function policyOf(written: string, { expiresAt }: Intent) {
  const at = `${expiresAt.toISOString().slice(0, 19)}Z`
  return {
    Version: '2012-10-17',
    Statement: [
      {
        ...{ Effect: 'Allow', Action: ['s3:GetObject'] },
        Resource: [`arn:aws:s3:::reports/${written}/*`],
        Condition: { DateLessThan: { 'aws:CurrentTime': at } },
      },
    ],
  }
}
