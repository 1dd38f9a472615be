/** Who asks for turns at targets, and what becomes of that. */
import type { Limits } from '../../src/delivery/target-limits.ts'
import { newId, type PersonId } from '../../src/domain/ids.ts'
import { now } from './bench.ts'

export const [ana, omar] = ['spn_ana', 'spn_omar'] as const
export const forever = new AbortController().signal
export const of = (sponsor: PersonId, target = 'orders') => ({
  ...{ sponsor, target, lease: newId('crd', now()) },
})

/** How often each way to a turn was come by. */
export function aMeter() {
  const counted: Record<string, number> = {}
  const count = (_name: string, { outcome = '' }: Readonly<Record<string, string>> = {}) => {
    counted[outcome] = (counted[outcome] ?? 0) + 1
  }
  return { counted, meter: { count } }
}

export async function refusalOf(attempt: Promise<unknown>) {
  const since = performance.now()
  const error: unknown = await attempt.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return { error, ms: performance.now() - since }
}

export const limited = (limits?: Limits, connector = 'postgres') => ({
  ...{ connector },
  ...(limits !== undefined && { limits }),
})
