/** Taking back what was, or may have been, made and is not on record: now, or until it is done. */
import type { Pool } from 'pg'
import type { FailReason } from '../domain/entry.ts'
import type { Intent } from '../domain/lease.ts'
import type { Delivering, Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Presented } from '../domain/request.ts'
import { NoEffect, PartlyRevoked, type Revoked } from './connector.ts'
import { within } from './deadline.ts'
import { conclude, putOff } from './endings.ts'
import { NoRoom } from './target-limits.ts'
import type { Targets } from './targets.ts'

const TAKE_BACK_MS = 3000
const AGAIN_MS = { first: 1000, most: 30_000 }

export interface TakingBack {
  readonly tenant: string
  readonly pool: Pool
  readonly ledger: Ledger
  readonly targets: Targets
  /** Told what could not be done yet. */
  readonly trouble?: (error: unknown) => void
}

/**
 * Never rejects: what cannot be taken back now is tried again until it is, or its time is up. Should
 * the process die first, the row still says `minting`, and the sweeper finds it by that.
 */
export function createTakeBack(options: TakingBack): Delivering['cdp']['takeBack'] {
  /** @param left milliseconds for which it may be alive */
  async function attempt(failed: Failed, left: number, delay: number): Promise<void> {
    try {
      await takeBack(options, failed)
    } catch (error) {
      options.trouble?.(error)
      if (left > 0) again(delay, failed, left - delay)
    }
  }
  function again(delay: number, failed: Failed, left: number): void {
    const retry = () => {
      const next = Math.min(2 * delay, AGAIN_MS.most)
      attempt(failed, left, next).catch((error: unknown) => options.trouble?.(error))
    }
    setTimeout(retry, delay).unref()
  }
  return (intent, cause) => {
    const failed = { intent, cause, found: false }
    return attempt(failed, intent.ttlSeconds * 1000, AGAIN_MS.first)
  }
}

interface Failed {
  readonly intent: Intent
  readonly cause: unknown
  /** Something was there, at whichever try. */
  found: boolean
}

/** Revokes by name unless nothing can exist, then records how it ended; what is unknown is put off. */
async function takeBack(options: TakingBack, failed: Failed): Promise<void> {
  const { tenant, pool, ledger } = options
  const { intent, cause } = failed
  const reason = reasonOf(cause)
  const revoked = isNoEffect(cause) ? { found: false } : await revokeNow(options, intent)
  failed.found ||= revoked.found
  const { found } = failed
  if ('isUnconfirmed' in revoked) {
    const later = { lease: intent.lease, delayMs: 1000, found }
    const isPutOff = await putOff(pool, tenant, { ...later, reason, from: ['minting'] })
    // Its commit had happened, though nobody could tell us: it was issued, and reached nobody.
    if (isPutOff) return
    await putOff(pool, tenant, { ...later, reason: 'delivery_unknown', from: ['active'] })
    return
  }
  const isEnforced = options.targets.get(intent.target)?.connector.spending === 'enforced'
  const act = actOf(intent, { requestId: intent.requestId, face: 'system' })
  const ended = { intent, act, found, isEnforced }
  if (await conclude({ tenant, ledger }, { ...ended, reason, from: ['minting'] })) return
  await conclude(
    { tenant, ledger },
    { ...ended, reason: 'delivery_unknown', from: ['active', 'revoke_pending'] },
  )
}

type Unconfirmed = Revoked & { readonly isUnconfirmed: true }

async function revokeNow(options: TakingBack, intent: Intent): Promise<Revoked | Unconfirmed> {
  const target = options.targets.get(intent.target)
  if (target === undefined) return { found: false, isUnconfirmed: true }
  try {
    return await within(TAKE_BACK_MS, (signal) =>
      target.revoke(intent.downstreamName, signal, intent.expiresAt),
    )
  } catch (error) {
    options.trouble?.(error)
    return { found: error instanceof PartlyRevoked, isUnconfirmed: true }
  }
}

const isNoEffect = (cause: unknown) =>
  cause instanceof BrokerError && cause.cause instanceof NoEffect

/** Stopped, frozen or run out meanwhile. */
const ABORTED: ReadonlySet<string> = new Set(['chain_invalid', 'frozen', 'decision_stale'])

function reasonOf(cause: unknown): FailReason {
  if (!(cause instanceof BrokerError)) return 'not_recorded'
  // Refused by us, and by nobody there.
  if (cause.cause instanceof NoRoom) return 'aborted'
  const { code } = cause
  if (code === 'downstream_failed' || code === 'downstream_timeout') return code
  return ABORTED.has(code) ? 'aborted' : 'not_recorded'
}

/** The agent, as the decision that it collected names it. */
export function actOf(
  { agent, instance, jkt }: Intent,
  { requestId, face }: Pick<Presented, 'requestId' | 'face'>,
) {
  const authentication = 'session_dpop' as const
  const actor = { kind: 'agent' as const, id: agent, instance, authentication, jkt }
  return { requestId, face, actor }
}
