/** Token buckets by name: each fills steadily, and what was saved up may be used at once. */

/** Names that are kept; whoever was not seen for longest is forgotten first, with the fullest bucket. */
const NAMES_MAX = 10_000
/** What may be saved up, in seconds of the rate. */
const BURST_SECONDS = 2

export interface Buckets {
  /** Takes one token; `false` when there is none. */
  take(name: string): boolean
  /** Whether there is none, without taking one. */
  isEmpty(name: string): boolean
}

/** @param elapsed a monotonic clock, in milliseconds */
export function createBuckets(
  perSecond: number,
  elapsed: () => number = () => performance.now(),
): Buckets {
  const full = Math.max(1, perSecond * BURST_SECONDS)
  const kept = new Map<string, { tokens: number; at: number }>()

  function filled(name: string, now: number): number {
    const bucket = kept.get(name)
    if (bucket === undefined) return full
    return Math.min(full, bucket.tokens + ((now - bucket.at) / 1000) * perSecond)
  }

  return {
    take(name) {
      const now = elapsed()
      const tokens = filled(name, now)
      kept.delete(name)
      if (kept.size >= NAMES_MAX) kept.delete(kept.keys().next().value ?? '')
      kept.set(name, { tokens: tokens < 1 ? tokens : tokens - 1, at: now })
      return tokens >= 1
    },
    isEmpty: (name) => filled(name, elapsed()) < 1,
  }
}
