/** A role and a bucket at a real STS and S3, and what a minted session can do there. */
import {
  CreateRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { policyName } from '../../src/delivery/connectors/aws-sts/kill-switch.ts'
import type { Target } from '../../src/delivery/targets.ts'
import type { Clock } from '../../src/domain/clock.ts'
import type { Issued } from '../../src/domain/lease.ts'
import { Secret } from '../../src/domain/secret.ts'
import type { CephRgw, Keys } from '../parts/ceph-rgw.ts'
import { awsTarget, OWNER } from './aws-target.ts'
import { HOUSE } from './bench.ts'

export const REPORTS = 'reports'
let made = 0

export type AwsTarget = Awaited<ReturnType<typeof anAwsTarget>>

/** The broker's user may assume it. */
const BY_KEY = () =>
  policy({
    ...{ Effect: 'Allow', Principal: { AWS: ['arn:aws:iam:::user/broker'] } },
    Action: ['sts:AssumeRole', 'sts:TagSession'],
  })

/**
 * A role that may do everything in S3: what its sessions may not, their policies keep them from.
 *
 * @param trusting the trust policy of the role with this ARN
 */
export async function anAwsTarget(rgw: CephRgw, trusting: (role: string) => string = BY_KEY) {
  made += 1
  const role = `reports-${String(made)}`
  const common = { endpoint: rgw.endpoint, region: 'us-east-1', maxAttempts: 1 }
  const iam = new IAMClient({ ...common, credentials: rgw.admin })
  await iam.send(
    new CreateRoleCommand({
      RoleName: role,
      AssumeRolePolicyDocument: trusting(`arn:aws:iam:::role/${role}`),
    }),
  )
  const all = policy({ Effect: 'Allow', Action: 's3:*', Resource: '*' })
  await iam.send(
    new PutRolePolicyCommand({ RoleName: role, PolicyName: 'all', PolicyDocument: all }),
  )
  const s3With = (keys: Keys & { readonly sessionToken?: string }) =>
    new S3Client({ ...common, forcePathStyle: true, credentials: keys })
  const settings = {
    ...{ connector: 'aws-sts', role_arn: `arn:aws:iam:::role/${role}`, region: 'us-east-1' },
    ...{ endpoint: rgw.endpoint, allow_http: true, min_session_seconds: 1 },
    ...{ kill_switch: 'role_policy', settle_seconds: 0 },
  }
  const session = ({ credential }: Issued) => {
    const { access_key_id: accessKeyId, secret_access_key: key, session_token: token } = credential
    if (typeof accessKeyId !== 'string') throw new TypeError('no session')
    if (!(key instanceof Secret && token instanceof Secret)) throw new TypeError('no session')
    return s3With({
      ...{ accessKeyId, secretAccessKey: key.reveal() },
      sessionToken: token.reveal(),
    })
  }
  return {
    ...{ settings, session, owner: s3With(rgw.admin) },
    target: (more: TargetOptions = {}) => aTarget({ rgw, settings, ...more }),
    /** What stands in the role against sessions, as IAM has it. */
    async denials(): Promise<string> {
      const names = { RoleName: role, PolicyName: policyName(OWNER) }
      const { PolicyDocument } = await iam.send(new GetRolePolicyCommand(names))
      return PolicyDocument ?? ''
    },
    putPolicy: (name: string, document: string) =>
      iam.send(
        new PutRolePolicyCommand({ RoleName: role, PolicyName: name, PolicyDocument: document }),
      ),
    policyName: policyName(OWNER),
  }
}

const policy = (statement: object) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [statement] })

export interface TargetOptions {
  readonly settings?: object
  readonly keys?: string
  readonly clock?: Clock
}

function aTarget(options: TargetOptions & { rgw: CephRgw; settings: object }): Target {
  const { rgw, settings, keys = storedKeys(rgw.admin), clock = HOUSE.clock } = options
  return awsTarget(settings, keys, clock)
}

export const storedKeys = ({ accessKeyId, secretAccessKey }: Keys) =>
  JSON.stringify({ access_key_id: accessKeyId, secret_access_key: secretAccessKey })

export async function fill(s3: S3Client, keys: readonly string[]): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket: REPORTS }))
  await put(s3, keys)
}

export async function put(s3: S3Client, keys: readonly string[]): Promise<void> {
  for (const Key of keys) await s3.send(new PutObjectCommand({ Bucket: REPORTS, Key, Body: Key }))
}

/** `ok`, or the status that it was refused with. */
export async function get(s3: S3Client, key: string): Promise<'ok' | number> {
  return await told(async () => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: REPORTS, Key: key }))
    await Body?.transformToByteArray()
  })
}
export const write = (s3: S3Client, key: string) => told(() => put(s3, [key]))
export const list = (s3: S3Client) =>
  told(() => s3.send(new ListObjectsV2Command({ Bucket: REPORTS })))

async function told(call: () => Promise<unknown>): Promise<'ok' | number> {
  try {
    await call()
    return 'ok'
  } catch (error) {
    const { $metadata: of } = error as { $metadata?: { httpStatusCode?: number } }
    if (of?.httpStatusCode === undefined) throw error
    return of.httpStatusCode
  }
}
