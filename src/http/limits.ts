/** How much is taken on: from one source before it is known who calls, and from one caller after. */
import type { RequestHandler } from 'express'
import type { Recognised } from '../domain/request.ts'
import { BrokerError } from '../domain/problems.ts'
import { createBuckets } from './buckets.ts'
import { type Call, callOf } from './call.ts'
import { createHasty } from './hasty.ts'
import { createHeld } from './held.ts'
import { addressOf, sourceOf } from './source.ts'

export interface Limits {
  /** For one source: an address, or a /64 of IPv6. A fifth of it may be refused credentials. */
  readonly requestsPerSecond: number
  /** For one agent or person; a service has what a source has. */
  readonly callerPerSecond: number
  /** For all agents of one sponsor together. */
  readonly sponsorPerSecond: number
  /** For all agents and services together. */
  readonly tenantPerSecond: number
  /** Answered at the same time, long polls apart; people and the public have a share of their own. */
  readonly concurrentMax: number
  /** Whose word counts on where a request comes from. */
  readonly proxies: readonly string[]
  /** Where another listener of this process counts the same callers: one count for both. */
  readonly callers?: ReturnType<typeof createCallers>
}

type Elapsed = () => number

/** What a source may have refused: each such request costs us a signature, and it nothing. */
const REFUSED_SHARE = 1 / 5
const REFUSED: ReadonlySet<string | null> = new Set([
  ...['invalid_client', 'invalid_token', 'invalid_dpop_proof'],
])

export interface Sources {
  readonly limit: RequestHandler
  /** Told of every call that is over. */
  over(call: Call): void
}

/** @param elapsed a monotonic clock, in milliseconds */
export function limitSources(limits: Limits, elapsed?: Elapsed): Sources {
  const { requestsPerSecond } = limits
  const proxies = new Set(limits.proxies)
  const requests = createBuckets(requestsPerSecond, elapsed)
  const refused = createBuckets(requestsPerSecond * REFUSED_SHARE, elapsed)
  return {
    limit: (req, res, next) => {
      const call = callOf(res)
      call.address = addressOf(req, proxies)
      call.source = sourceOf(call.address)
      if (!requests.take(call.source) || refused.isEmpty(call.source)) throw new TooOften()
      next()
    },
    over({ source, code }) {
      if (REFUSED.has(code)) refused.take(source)
    },
  }
}

/** How much of the places one may hold: an agent or a service, a person, all agents of one sponsor. */
const HELD_BY_ONE = 1 / 2
const HELD_BY_PERSON = 1 / 8
const HELD_BY_SPONSOR = 3 / 4

/**
 * Takes note of who calls, once that is proven, and refuses those who ask too often or have too much
 * going on. What is going on is counted until the call releases it. Whoever was refused for asking too
 * often, by this process, and does not wait is refused unproven: that costs no signature and no row.
 */
export function limitCallers(limits: Limits, elapsed?: Elapsed): RequestHandler {
  const enter = limits.callers ?? createCallers(limits, elapsed)
  const hasty = createHasty(elapsed)
  return (req, res, next) => {
    const call = callOf(res)
    const { authorization } = req.headers
    if (hasty.has(call.source, authorization)) throw new TooOften()
    call.recognised = (caller) => {
      try {
        enter(call, caller)
      } catch (error) {
        if (error instanceof TooOften) hasty.note(call.source, authorization)
        throw error
      }
    }
    next()
  }
}

/** What a call holds of the limits, as far as they know it. */
export type Counted = Pick<Call, 'caller' | 'release'>

/** @throws BrokerError `rate_limited`, from what it returns */
export function createCallers(limits: Omit<Limits, 'callers'>, elapsed?: Elapsed) {
  const rates = {
    own: createBuckets(limits.callerPerSecond, elapsed),
    service: createBuckets(limits.requestsPerSecond, elapsed),
    sponsor: createBuckets(limits.sponsorPerSecond, elapsed),
    tenant: createBuckets(limits.tenantPerSecond, elapsed),
  }
  const held = createHeld('Too much of yours is going on at once')
  const share = (of: number) => Math.max(1, Math.floor(limits.concurrentMax * of))
  const most = {
    ...{ agent: share(HELD_BY_ONE), service: share(HELD_BY_ONE) },
    person: share(HELD_BY_PERSON),
  }

  function isTooOften({ kind, id, sponsor }: Recognised): boolean {
    if (!rates[kind === 'service' ? 'service' : 'own'].take(id)) return true
    if (sponsor !== null && !rates.sponsor.take(sponsor)) return true
    return kind !== 'person' && !rates.tenant.take('')
  }

  return (call: Counted, caller: Recognised): void => {
    const { kind, id, sponsor } = caller
    call.caller = id
    if (isTooOften(caller)) throw new TooOften()
    hold(call, held.enter(id, most[kind]))
    if (sponsor !== null) hold(call, held.enter(`of ${sponsor}`, share(HELD_BY_SPONSOR)))
  }
}

/** Given up together with whatever else the call holds. */
function hold(call: Counted, leave: () => void): void {
  const { release } = call
  call.release = () => {
    leave()
    release()
  }
}

/** Rather than too much at once. */
class TooOften extends BrokerError {
  constructor() {
    super('rate_limited', { shown: { retryAfterSeconds: 1 } })
  }
}
