/** The delivering half: redeems what was signed, makes it, records it; or takes it back. Never decides. */
import { type Intent, type Issued, KIND_OF } from '../domain/lease.ts'
import type { Meter } from '../domain/meter.ts'
import type { Delivering } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import { NoEffect } from './connector.ts'
import { isTimeout, within } from './deadline.ts'
import { FINAL, isEnding } from './endings.ts'
import { keysAway } from './keys-away.ts'
import { activateLease, findLease, type Held, leaseOf } from './leases.ts'
import { createRedeem, type Redeeming, stale } from './redeem.ts'
import { refusalFor, stopUnder } from './stopped.ts'
import { actOf, createTakeBack } from './take-back.ts'
import { NoRoom, noRoom } from './target-limits.ts'

// With taking back, less than the ten seconds after which a caller has been answered.
const ISSUE_MS = 6000
/** A decision lives for a minute: after that nobody can redeem it. */
const DECISION_LIFE_MS = 70_000

export interface CdpOptions extends Redeeming {
  readonly meter?: Meter
  /** Told what `takeBack`, which never throws, could not do. */
  readonly trouble?: (error: unknown) => void
}

export function createCdp(options: CdpOptions): Delivering['cdp'] {
  const { tenant, pool, targets, meter } = options
  return {
    redeem: createRedeem(options),

    async mint(intent) {
      const target = targets.get(intent.target)
      try {
        if (target === undefined) throw new NoEffect('no such target')
        const made = await within(ISSUE_MS, (signal) => target.issue(intent, signal))
        checkMade(intent, made)
        return made
      } catch (cause) {
        meter?.count('procura_credentials_failed_total', { connector: intent.connector })
        throw failureOf(intent, cause)
      }
    },

    async activate(tx, intent, made) {
      const held = await activateLease(tx, tenant, intent, made)
      if (held === null) {
        const kind = await stopUnder(tx, tenant, intent.lease)
        throw kind === null ? stale(intent, 'expired') : await refusalFor(tx, tenant, intent, kind)
      }
      return leaseOf(held)
    },

    issuance: (intent, { kind, expiresAt }, presented) => ({
      ...{ type: 'issuance', act: actOf(intent, presented), eventId: intent.eventId },
      ...{ intent, kind, expiresAt },
    }),

    takeBack: createTakeBack(options),

    async find(lease, decision) {
      const { held, now } = await findLease(pool, tenant, lease)
      if (held !== null) return told(held, decision)
      // Recorded, and not redeemed: it is on its way, or the process died between the two.
      const age = now.getTime() - madeAt(decision)
      throw age < DECISION_LIFE_MS ? inFlight(decision) : stale({ decision }, 'expired')
    },
  }
}

/** A target that makes something else is not believed. Its name in the log is the alarm. */
class NotAsDecided extends Error {
  override readonly name = 'NotAsDecided'
}

function checkMade({ connector, expiresAt }: Intent, made: Issued): void {
  // Also refuses an expiry that is no time at all.
  const isInTime = made.expiresAt.getTime() <= expiresAt.getTime()
  if (!isInTime) throw new NotAsDecided('the target made it longer than was decided')
  const isItsKind = connector !== 'none' && made.kind === KIND_OF[connector]
  if (!isItsKind) throw new NotAsDecided('the target made it of another kind')
}

/** Unknown is not success, and not a denial. The cause stays with us: it may be a target's words. */
function failureOf({ decision }: Intent, cause: unknown): BrokerError {
  if (cause instanceof NoRoom) return noRoom(cause, { decision, fix: ASK_ANEW })
  const closed = keysAway(cause)
  if (closed !== null) {
    const shown = { ...closed.shown, decision, fix: ASK_ANEW }
    return new BrokerError(closed.code, { cause, message: closed.message, shown })
  }
  const isLate = isTimeout(cause) || (cause instanceof NoEffect && cause.isTimeout)
  const shown = { decision }
  return new BrokerError(isLate ? 'downstream_timeout' : 'downstream_failed', { cause, shown })
}

/** The decision is used up, and what it spent is given back. */
const ASK_ANEW = 'Ask again after Retry-After, with a new Idempotency-Key; nothing was issued'

/** For one who asks again: what became of it, and never its secret. */
function told(held: Held, decision: string) {
  const { state, endReason } = held
  if (state === 'minting') throw inFlight(decision)
  const isFailure = isEnding(endReason) && FINAL[endReason] === 'failed'
  if (!isFailure) return leaseOf(held)
  // What never got to its target is asked for anew; what did is told as it ended.
  if (endReason === 'downstream_failed' || endReason === 'downstream_timeout') {
    throw new BrokerError(endReason, { shown: { decision } })
  }
  throw stale(held.intent, 'redeemed')
}

function inFlight(decision: string): BrokerError {
  return new BrokerError('idempotency_in_flight', { shown: { decision, retryAfterSeconds: 1 } })
}

/** Milliseconds since 1970 at which an id was made: its first ten characters of base 32. */
function madeAt(id: string): number {
  const [, code = ''] = id.split('_')
  return [...code.slice(0, 10)].reduce((sum, digit) => sum * 32 + CROCKFORD.indexOf(digit), 0)
}
const CROCKFORD = '0123456789abcdefghjkmnpqrstvwxyz'
