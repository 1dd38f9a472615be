/** AWS sessions, narrowed by a session policy and named by us, so that CloudTrail names them. */
import type { Clock } from '../../domain/clock.ts'
import type { Issued } from '../../domain/lease.ts'
import { type Connector, NoEffect, NotYet } from '../connector.ts'
import { isTimeout } from '../deadline.ts'
import { blurred, isLate, isUnreached, statusOf, withSts } from './aws-sts/clients.ts'
import { RoleError } from './aws-sts/denials.ts'
import { CLOCKS_SECONDS, createKillSwitch, type KillSwitchOptions } from './aws-sts/kill-switch.ts'
import { sessionIn, sessionRequest, type Session } from './aws-sts/requests.ts'
import { sessionPolicy } from './aws-sts/session-policy.ts'
import { clashOf, Permissions, SESSION, Settings } from './aws-sts/settings.ts'

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
  const { clock } = options
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
    clashOf,
    audienceOf: () => null,

    async issue(intent, at, permissions, signal) {
      const endsAt = new Date(Math.floor(intent.expiresAt.getTime() / 1000) * 1000)
      const policy = sessionPolicy(permissions, endsAt, at.settings)
      const request = await sessionRequest({ ...options, at }, intent, policy)
      const progress = { isSent: false }
      try {
        return await withSts({ ...options, at }, async (client, sdk) => {
          signal.throwIfAborted()
          progress.isSent = true
          const session = sessionIn(await request(client, sdk, signal), intent.downstreamName)
          return issued(session, endsAt, at.settings)
        })
      } catch (error) {
        const cause = causeOf(error)
        if (progress.isSent && !isRefusal(error)) throw cause
        throw new NoEffect('the target made nothing', { cause, isTimeout: isTimeout(error) })
      }
    },

    /** Whether there was a session of that name nobody can be asked: it says of none that there was not. */
    async revoke(downstreamName, at, signal, endsAt) {
      if (!SESSION.test(downstreamName)) throw new TypeError('not a name of ours')
      signal.throwIfAborted()
      const until = endsAt ?? new Date(clock().getTime() + SESSION_SECONDS_MAX * 1000)
      const leftMs = left(until, clock)
      const certainMs = leftMs + CLOCKS_SECONDS * 1000
      // Its own policy has ended it.
      if (certainMs <= 0) return { found: true }
      if (at.settings.kill_switch === 'none' || leftMs < SOON_MS) throw new NotYet(certainMs)
      const since = await killSwitch
        .deny(downstreamName, until, at, signal)
        .catch((error: unknown) => {
          throw error instanceof RoleError || error instanceof NoEffect ? error : blurred(error)
        })
      const settled = new Date((since + at.settings.settle_seconds) * 1000)
      if (settled > clock()) throw new NotYet(left(settled, clock))
      return { found: true }
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

/** In our words; and the SDK's own limit, which comes before ours, told as ours is. */
function causeOf(error: unknown): Error {
  const cause = blurred(error)
  return isLate(error) ? new DOMException(cause.message, 'TimeoutError') : cause
}

function issued(
  { id, secret, token, expiration }: Session,
  endsAt: Date,
  { region }: Settings,
): Issued {
  return {
    kind: 'aws',
    credential: { access_key_id: id, secret_access_key: secret, session_token: token, region },
    expiresAt: expiration < endsAt ? expiration : endsAt,
  }
}
