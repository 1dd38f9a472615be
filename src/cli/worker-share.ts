/** What one of several workers may do: its share of what all of them together may. */
import { availableParallelism } from 'node:os'
import type { Config } from '../config.ts'

type Declared = Config['trust']['targets']

/** How many that makes on this machine. */
export const countOf = (workers: Config['workers']) =>
  workers === 'auto' ? availableParallelism() : workers

/** So the limits hold for all workers together, however a caller's connections fall on them. */
export function shareOf(config: Config, workers: number): Config {
  const { requestsPerSecond, callerPerSecond, sponsorPerSecond, tenantPerSecond, trust } = config
  const share = shareBy(workers)
  const given = (rate: number | null) => (rate === null ? null : share(rate))
  const targets = Object.entries(trust.targets).map(
    ([name, target]) => [name, ofTarget(target, workers)] as const,
  )
  return {
    ...config,
    requestsPerSecond: share(requestsPerSecond),
    callerPerSecond: given(callerPerSecond),
    sponsorPerSecond: given(sponsorPerSecond),
    tenantPerSecond: given(tenantPerSecond),
    trust: { ...trust, targets: Object.fromEntries(targets) },
  }
}

/** At least one: none would be an end to it. */
const shareBy = (workers: number) => (most: number) => Math.max(1, Math.floor(most / workers))

/** What is not said of a target counts for each process. */
function ofTarget(target: Declared[string], workers: number): Declared[string] {
  if (target.limits === undefined) return target
  const { concurrent, per_second, burst } = target.limits
  const share = shareBy(workers)
  const limits = {
    ...(concurrent !== undefined && { concurrent: share(concurrent) }),
    ...(per_second !== undefined && { per_second: per_second / workers }),
    ...(burst !== undefined && { burst: share(burst) }),
  }
  return { ...target, limits }
}
