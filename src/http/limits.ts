/** How much is taken on: from one source, and at the same time. Both stores are bounded. */
import type { RequestHandler } from 'express'
import { BrokerError } from '../domain/problems.ts'
import { callOf } from './call.ts'
import type { Limits } from './front.ts'

const SOURCES_MAX = 10_000
/** A source may use what it saved up, for this many seconds of its rate. */
const BURST_SECONDS = 2

interface Bucket {
  tokens: number
  at: number
}

/** One token a request, refilled steadily. @param elapsed a monotonic clock, in milliseconds */
export function limitSources(
  { requestsPerSecond }: Limits,
  elapsed: () => number = () => performance.now(),
): RequestHandler {
  const full = requestsPerSecond * BURST_SECONDS
  const buckets = new Map<string, Bucket>()

  return (req, _res, next) => {
    const source = sourceOf(req.socket.remoteAddress ?? '')
    const now = elapsed()
    const { tokens, at } = buckets.get(source) ?? { tokens: full, at: now }
    const filled = Math.min(full, tokens + ((now - at) / 1000) * requestsPerSecond)
    // Whoever was not seen for longest is forgotten first; its bucket is the fullest.
    buckets.delete(source)
    if (buckets.size >= SOURCES_MAX) buckets.delete(buckets.keys().next().value ?? '')
    buckets.set(source, { tokens: Math.max(0, filled - 1), at: now })
    if (filled < 1) throw new BrokerError('rate_limited')
    next()
  }
}

/** An IPv6 caller has as many addresses as it likes within its /64. */
export function sourceOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const rest = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array.from({ length: Math.max(0, 8 - groups.length - rest.length) }, () => '0')
  return [...groups, ...zeros, ...rest].slice(0, 4).join(':')
}

/** Beyond this many at the same time the answer is a quick 503, not a long queue. */
export function limitConcurrency({ concurrentMax }: Limits): RequestHandler {
  let running = 0
  return (_req, res, next) => {
    if (running >= concurrentMax) {
      const shown = { detail: 'Too much is going on at once', retryAfterSeconds: 1 }
      throw new BrokerError('unavailable', { shown })
    }
    running += 1
    let isCounted = true
    const release = () => {
      if (isCounted) running -= 1
      isCounted = false
    }
    callOf(res).release = release
    res.once('close', () => {
      if (!callOf(res).isHandled) release()
    })
    next()
  }
}
