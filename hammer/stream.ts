/** Load as it comes: so many stories a second, whether or not the last are over; latency counts from when one was due. */
import { setTimeout as pause } from 'node:timers/promises'
import { aStory } from './burst.ts'
import { randomOf } from './random.ts'
import type { Stage } from './stage.ts'

/** Beyond that the machine, and not the broker, is what is measured. */
const UNDER_WAY_MAX = 400
/** A consent is for a thousand uses. */
const RENEW_EVERY = 1200

export interface Streamed {
  readonly begun: number
  /** Not begun, because too many were under way. */
  readonly skipped: number
  /** Milliseconds from when a story was due to its end. */
  readonly latencies: readonly number[]
  readonly errors: readonly unknown[]
}

export interface Stream {
  stop(): Promise<Streamed>
}

/** @param rate stories a second */
export function startStream(stage: Stage, rate: number, seed: number): Stream {
  const random = randomOf(seed)
  const underWay = new Set<Promise<void>>()
  const latencies: number[] = []
  const errors: unknown[] = []
  const over = new AbortController()
  let [begun, skipped] = [0, 0]

  function begin(due: number): void {
    if (underWay.size >= UNDER_WAY_MAX) {
      skipped += 1
      return
    }
    begun += 1
    const story = aStory(stage.cast, stage.runs(), randomOf(random.below(2 ** 32)))
      .then(() => void latencies.push(performance.now() - due))
      .catch((error: unknown) => void errors.push(error))
      .finally(() => underWay.delete(story))
    underWay.add(story)
  }

  const beginning = (async () => {
    const since = performance.now()
    for (let n = 0; !over.signal.aborted; n += 1) {
      const due = since + (n * 1000) / rate
      const early = due - performance.now()
      if (early > 0) await pause(early)
      if (n % RENEW_EVERY === RENEW_EVERY - 1) await stage.renew().catch(() => undefined)
      begin(due)
    }
  })()
  return {
    async stop() {
      over.abort()
      await beginning
      await Promise.all(underWay)
      return { begun, skipped, latencies, errors }
    },
  }
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
