/** Pure: how long a lease of a call lasts. It may only get shorter. */
import { ttlCeiling } from '../domain/authority.ts'
import { type Chain, leafOf } from '../domain/chain.ts'
import type { ToolCall } from '../domain/tool.ts'

/**
 * Seconds: the least of what was asked for, of every maximum, and of what is left of all that it rests
 * on. Below 1 there is nothing left. The session's own end does not count.
 */
export function leaseSeconds(chain: Chain, call: ToolCall, now: Date): number {
  const { consent, effective } = chain
  const { depth, expiresAt } = leafOf(chain)
  return Math.min(
    call.ttlSeconds,
    call.tool.ttlSecondsMax,
    ttlCeiling(effective) ?? Infinity,
    consent.terms.maxTtlSeconds,
    secondsLeft(consent.terms.expiresAt, now),
    depth > 0 ? secondsLeft(expiresAt, now) : Infinity,
  )
}

export function secondsLeft(end: Date, now: Date): number {
  return Math.floor((end.getTime() - now.getTime()) / 1000)
}
