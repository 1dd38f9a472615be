/** AWS sessions, narrowed by a session policy and named by us, so that CloudTrail names them. */
import type { AssumeRoleCommandInput } from '@aws-sdk/client-sts'
import { z } from 'zod'
import type { Clock } from '../../domain/clock.ts'
import type { Intent, Issued } from '../../domain/lease.ts'
import { Secret } from '../../domain/secret.ts'
import { type Connector, NoEffect, NotYet } from '../connector.ts'
import { isTimeout } from '../deadline.ts'
import { blurred, isUnreached, statusOf, withSts } from './aws-sts/clients.ts'
import { RoleError } from './aws-sts/denials.ts'
import { CLOCKS_SECONDS, createKillSwitch, type KillSwitchOptions } from './aws-sts/kill-switch.ts'
import { sessionPolicy } from './aws-sts/session-policy.ts'
import { Permissions, SESSION, Settings } from './aws-sts/settings.ts'

export type AwsStsOptions = KillSwitchOptions

/** No session of ours lasts longer, whatever is forgotten of it. */
const SESSION_SECONDS_MAX = 3600 + 60
/** It ends by itself before a role is written; and clocks that differ a little cost no denial. */
const SOON_MS = 2000

/**
 * STS has no call that ends one session. With `kill_switch: role_policy` a Deny in the role does;
 * without it a session lives until its time, and is said to.
 */
export function awsSts(options: AwsStsOptions): Connector<Settings, Permissions> {
  const { secrets, clock } = options
  const killSwitch = createKillSwitch(options)
  return {
    name: 'aws-sts',
    model: 'mint',
    revocation: 'expiry',
    revocationAt: ({ kill_switch }) => (kill_switch === 'none' ? 'expiry' : 'immediate'),
    spending: 'unseen',
    senderConstraint: 'none',
    isAtTarget: true,
    ttlSecondsMin: 1,
    settings: Settings,
    permissions: Permissions,
    audienceOf: () => null,

    async issue(intent, at, permissions, signal) {
      const endsAt = new Date(Math.floor(intent.expiresAt.getTime() / 1000) * 1000)
      const input = assumeRoleInput(
        intent,
        at.settings,
        sessionPolicy(permissions, endsAt, at.settings),
      )
      const progress = { isSent: false }
      try {
        return await withSts({ secrets, at }, async (client, { AssumeRoleCommand }) => {
          signal.throwIfAborted()
          progress.isSent = true
          const answer = await client.send(new AssumeRoleCommand(input), { abortSignal: signal })
          return issued(answer, intent, endsAt, at.settings)
        })
      } catch (error) {
        const cause = blurred(error)
        if (progress.isSent && !isRefusal(error)) throw cause
        throw new NoEffect('the target made nothing', { cause, isTimeout: isTimeout(error) })
      }
    },

    /** Whether there was a session of that name nobody can be asked: it says of none that there was. */
    async revoke(downstreamName, at, signal, endsAt) {
      if (!SESSION.test(downstreamName)) throw new TypeError('not a name of ours')
      signal.throwIfAborted()
      const until = endsAt ?? new Date(clock().getTime() + SESSION_SECONDS_MAX * 1000)
      const leftMs = left(until, clock)
      const certainMs = leftMs + CLOCKS_SECONDS * 1000
      // Its own policy has ended it.
      if (certainMs <= 0) return { found: false }
      if (at.settings.kill_switch === 'none' || leftMs < SOON_MS) throw new NotYet(certainMs)
      const since = await killSwitch.deny(downstreamName, until, at).catch((error: unknown) => {
        throw error instanceof RoleError ? error : blurred(error)
      })
      const settled = new Date((since + at.settings.settle_seconds) * 1000)
      if (settled > clock()) throw new NotYet(left(settled, clock))
      return { found: false }
    },

    /** Sessions cannot be listed. One that nobody remembers ends by its own policy. */
    listOwn: () => Promise.resolve([]),
  }
}

const left = (until: Date, clock: Clock) => until.getTime() - clock().getTime()

/** With a 4xx the endpoint says that it made nothing; with anything else it may have. */
function isRefusal(error: unknown): boolean {
  const status = statusOf(error)
  return isUnreached(error) || (status !== null && status >= 400 && status < 500)
}

/** What is sent, whole: nothing of it but the values in `Policy` comes from an argument. */
function assumeRoleInput(
  intent: Intent,
  settings: Settings,
  policy: string,
): AssumeRoleCommandInput {
  const { downstreamName, ttlSeconds } = intent
  if (!SESSION.test(downstreamName)) throw new NoEffect('not a name of ours')
  return {
    RoleArn: settings.role_arn,
    RoleSessionName: downstreamName,
    DurationSeconds: Math.max(ttlSeconds, settings.min_session_seconds),
    Policy: policy,
    ...(settings.external_id !== undefined && { ExternalId: settings.external_id }),
    ...(settings.tags === 'on' && marksOf(intent)),
  }
}

/** For CloudTrail, and for policies that ask for them; a session of a session carries them on. */
function marksOf({ sponsor, agent, purpose, chain }: Intent) {
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

/** @throws Error when it is not what was asked for, and so may be anything */
function issued(
  answer: unknown,
  { downstreamName }: Intent,
  endsAt: Date,
  { region }: Settings,
): Issued {
  const read = Answer.safeParse(answer)
  if (!read.success || !read.data.AssumedRoleUser.Arn.endsWith(`/${downstreamName}`)) {
    throw new Error('not the session that was asked for')
  }
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = read.data.Credentials
  return {
    kind: 'aws',
    credential: {
      access_key_id: AccessKeyId,
      secret_access_key: new Secret(SecretAccessKey),
      session_token: new Secret(SessionToken),
      region,
    },
    expiresAt: Expiration < endsAt ? Expiration : endsAt,
  }
}
