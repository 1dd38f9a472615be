/** IAM, asked with the key that is stored, or in a role that the broker assumes as what it is. */
import type * as Iam from '@aws-sdk/client-iam'
import { within } from '../../deadline.ts'
import {
  blurred,
  clientConfig,
  type Keys,
  type Opening,
  using,
  withStored,
  withSts,
} from './clients.ts'
import { RoleError } from './denials.ts'
import { sessionIn } from './requests.ts'
import { audienceOf, identityToken, revokerOf } from './web-identity.ts'

const REVOKER = 'procura-revoker'
/** What is done in it takes seconds. */
const REVOKER_SECONDS = 60
/** For such a session, its answer read to the end: whoever waits for a denial waits five seconds. */
const KEYS_MS = 3000

type Work<T> = (client: Iam.IAMClient, sdk: typeof Iam) => Promise<T>

/**
 * Runs `work` with a client of IAM, which in AWS is one place for all regions.
 *
 * @throws what `work` does; what STS answered, and none of its words
 */
export async function withIam<T>(opening: Opening, signal: AbortSignal, work: Work<T>): Promise<T> {
  const sdk = await import('@aws-sdk/client-iam')
  const { credentials, endpoint, region, iam_endpoint, iam_region } = opening.at.settings
  const url = iam_endpoint ?? endpoint ?? 'https://iam.amazonaws.com'
  const signedFor = iam_region ?? (endpoint === undefined ? 'us-east-1' : region)
  const ask = (keys: Keys) =>
    using(new sdk.IAMClient(clientConfig(keys, url, signedFor)), (client) => work(client, sdk))
  if (credentials === 'stored') return await withStored(opening, ask)
  return await ask(await revokerKeys(opening, signal))
}

/** A session of the role that may write into the one that is guarded, and no more of it than that. */
async function revokerKeys(opening: Opening, signal: AbortSignal): Promise<Keys> {
  const { name, settings } = opening.at
  const { role_arn: role, revoker_role_arn: revoker, min_session_seconds: min } = settings
  if (revoker === undefined) throw new RoleError('the target has no revoker_role_arn')
  const claims = { sub: revokerOf(name), aud: audienceOf(settings) }
  const input = {
    ...{ RoleArn: revoker, RoleSessionName: REVOKER, Policy: policyOn(role) },
    DurationSeconds: Math.max(REVOKER_SECONDS, min),
    WebIdentityToken: (await identityToken(opening, claims)).reveal(),
  }
  const answer = await withSts(opening, (client, { AssumeRoleWithWebIdentityCommand }) =>
    // The SDK's own limits end when an answer begins.
    within(KEYS_MS, (late) =>
      client.send(new AssumeRoleWithWebIdentityCommand(input), {
        abortSignal: AbortSignal.any([signal, late]),
      }),
    ),
  ).catch((error: unknown) => {
    throw blurred(error)
  })
  return sessionIn(answer, REVOKER)
}

/** What ending sessions of a role takes. */
export const denying = (role: string) => ({
  ...{ Effect: 'Allow', Action: ['iam:GetRolePolicy', 'iam:PutRolePolicy'], Resource: role },
})

const policyOn = (role: string) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [denying(role)] })
