/** What STS is sent, whole, and what it answers: nothing sent but the values in `Policy` is an argument's. */
import type * as Sts from '@aws-sdk/client-sts'
import { z } from 'zod'
import type { Intent } from '../../../domain/lease.ts'
import { Secret } from '../../../domain/secret.ts'
import { NoEffect } from '../../connector.ts'
import type { Keys, Opening } from './clients.ts'
import { SESSION } from './settings.ts'
import { audienceOf, identityToken, type Marks, marksAsClaims, subjectOf } from './web-identity.ts'

type Send = (client: Sts.STSClient, sdk: typeof Sts, signal: AbortSignal) => Promise<unknown>

/**
 * The one request that makes this session, ready to be sent.
 *
 * @throws NoEffect for a name that is not ours, or when nobody signs who we are
 */
export async function sessionRequest(
  opening: Opening,
  intent: Intent,
  policy: string,
): Promise<Send> {
  const { downstreamName, ttlSeconds } = intent
  const { name, settings } = opening.at
  if (!SESSION.test(downstreamName)) throw new NoEffect('not a name of ours')
  const common = {
    ...{ RoleArn: settings.role_arn, RoleSessionName: downstreamName, Policy: policy },
    DurationSeconds: Math.max(ttlSeconds, settings.min_session_seconds),
  }
  const marks = settings.tags === 'on' ? marksOf(intent) : null
  if (settings.credentials === 'web_identity') {
    const who = { sub: subjectOf(name), aud: audienceOf(settings), jti: intent.lease }
    const token = await identityToken(opening, { ...who, ...(marks && marksAsClaims(marks)) })
    return (client, sdk, abortSignal) => {
      const input = { ...common, WebIdentityToken: token.reveal() }
      return client.send(new sdk.AssumeRoleWithWebIdentityCommand(input), { abortSignal })
    }
  }
  const externalId = settings.external_id
  const input = { ...common, ...(externalId !== undefined && { ExternalId: externalId }), ...marks }
  return (client, sdk, abortSignal) =>
    client.send(new sdk.AssumeRoleCommand(input), { abortSignal })
}

/** For CloudTrail, and for policies that ask for them; a session of a session carries them on. */
function marksOf({ sponsor, agent, purpose, chain }: Intent): Marks {
  const leaf = chain?.['leaf']
  const tags = {
    ...{ 'procura:sponsor': sponsor, 'procura:agent': agent, 'procura:purpose': purpose },
    ...(typeof leaf === 'string' && { 'procura:chain': leaf }),
  }
  return {
    SourceIdentity: sponsor,
    Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
    TransitiveTagKeys: Object.keys(tags),
  }
}

const text = z.string().min(1)
const Answer = z.object({
  Credentials: z.object({
    ...{ AccessKeyId: text, SecretAccessKey: text, SessionToken: text, Expiration: z.date() },
  }),
  AssumedRoleUser: z.object({ Arn: text }),
})

export interface Session extends Keys {
  readonly token: Secret
  readonly expiration: Date
}

/** @throws Error when it is not what was asked for, and so may be anything */
export function sessionIn(answer: unknown, name: string): Session {
  const read = Answer.safeParse(answer)
  if (!read.success || !read.data.AssumedRoleUser.Arn.endsWith(`/${name}`)) {
    throw new Error('not the session that was asked for')
  }
  const { AccessKeyId: id, SecretAccessKey, SessionToken, Expiration } = read.data.Credentials
  return {
    ...{ id, secret: new Secret(SecretAccessKey), token: new Secret(SessionToken) },
    expiration: Expiration,
  }
}
