/** Two brokers that end sessions of one role, and one that stands still between reading and writing it. */
import type { ServerResponse } from 'node:http'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Silent } from '../../src/delivery/connector.ts'
import { createExclusively } from '../../src/delivery/exclusively.ts'
import { type AwsEndpoint, anAwsEndpoint, failure, xml } from '../fakes/aws-endpoint.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { awsTarget, intentFor, ROLE } from './aws-target.ts'
import { now, until } from './bench.ts'

const STORED = '{"access_key_id":"AKIAOFTHEBROKER00","secret_access_key":"canary-admin"}'

let db: TestDatabase
let endpoint: AwsEndpoint
beforeAll(async () => {
  // How long it takes to load it is no matter.
  await import('@aws-sdk/client-iam')
  db = await freshDatabase()
  endpoint = await anAwsEndpoint()
})
afterAll(() => endpoint.close())

/** The one policy of a role, as IAM keeps it. */
const role = { policy: '' }
const told = (res: ServerResponse, policy: string) => {
  if (policy === '') {
    xml(res, 404, failure('NoSuchEntity'))
    return
  }
  const result = `<PolicyDocument>${encodeURIComponent(policy)}</PolicyDocument>`
  xml(
    res,
    200,
    `<GetRolePolicyResponse><GetRolePolicyResult>${result}</GetRolePolicyResult></GetRolePolicyResponse>`,
  )
}
const healthy: AwsEndpoint['answer'] = (res, form) => {
  if (form.get('Action') === 'GetRolePolicy') {
    told(res, role.policy)
    return
  }
  role.policy = form.get('PolicyDocument') ?? ''
  xml(res, 200, '<PutRolePolicyResponse/>')
}

/** A broker that guards the role; by our clock, where there is one. */
function aBroker(elapsed?: () => number) {
  const settings = {
    ...{ role_arn: ROLE, kill_switch: 'role_policy', settle_seconds: 0, allow_http: true },
    ...{ region: 'eu-west-1', endpoint: endpoint.url },
  }
  const exclusively = createExclusively(db.pool('procura_reaper'), elapsed)
  const target = awsTarget(settings, STORED, now, exclusively)
  return ({ downstreamName, expiresAt }: ReturnType<typeof intentFor>) =>
    target.revoke(downstreamName, AbortSignal.timeout(5000), expiresAt)
}

it('one that wakes when its turn is long over writes nothing over what another has confirmed', async () => {
  const time = { ms: 0 }
  const [slow, other] = [aBroker(() => time.ms), aBroker()]
  const [one, two] = [intentFor('1'), intentFor('2')]
  const answers: (() => void)[] = []
  endpoint.answer = (res) => {
    const read = role.policy
    answers.push(() => {
      told(res, read)
    })
  }
  const ending = slow(one).catch((error: unknown) => error)
  await until(() => Promise.resolve(answers.length === 1))
  endpoint.answer = healthy

  // PostgreSQL ends the transaction of one that says nothing, and with it the turn.
  await db.query(
    `select pg_terminate_backend(pid) from pg_locks join pg_database d on d.oid = database
     where locktype = 'advisory' and classid = 6970 and datname = current_database()`,
  )
  expect(await other(two)).toEqual({ found: true })
  time.ms = 60_000
  answers[0]?.()
  expect(await ending).toBeInstanceOf(Silent)
  expect(role.policy).toContain(two.downstreamName)
  expect(role.policy).not.toContain(one.downstreamName)

  expect(await slow(one)).toEqual({ found: true })
  for (const { downstreamName } of [one, two]) expect(role.policy).toContain(downstreamName)
})
