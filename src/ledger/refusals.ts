/**
 * Calls refused before a decision are counted, not recorded one by one: a stranger must not grow what
 * cannot shrink. At most one leaf a window for each face, code and known caller; the window is from
 * one `flush` to the next. Of strangers there are no more leaves than faces and codes, and of known
 * callers no more than a fixed number, whoever they are: the rest is counted as nobody's.
 */
import type { Clock } from '../domain/clock.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import type { Ledger } from '../domain/ports.ts'
import { bySystem, type Face } from '../domain/request.ts'

const KNOWN_MAX = 100
/** Kinds of leaves in a window: far more than there are faces and codes. What is beyond is counted as one. */
const KINDS_MAX = 1000
/** Counts stop there: a sum never becomes a number that has lost digits. */
const COUNT_MAX = 1_000_000_000

export interface Refusals {
  count(face: Face, code: string, caller: string | null, times?: number): void
  /** Records what was counted. What cannot be recorded now is kept, and counts as an outage. */
  flush(): Promise<void>
}

export interface RefusalsOptions {
  readonly ledger: Ledger
  readonly clock: Clock
  readonly report: (what: string, why: unknown) => void
}

export function createRefusals({ ledger, clock, report }: RefusalsOptions): Refusals {
  let windowStart = clock()
  let counted = new Map<string, Counted>()
  let known = 0
  let missed = 0

  async function flush(): Promise<void> {
    const due = counted
    const since = windowStart
    counted = new Map()
    known = 0
    windowStart = clock()
    if (due.size === 0 && missed === 0) return
    const entries = [...due.values()].map((each) => leafOf(each, since, windowStart))
    if (missed > 0) entries.unshift(outage(missed))
    try {
      await ledger.record(null, () => Promise.resolve({ entries, value: null, answer: null }))
      missed = 0
    } catch (error) {
      report('refusals could not be recorded; the next leaf tells how many were missed', error)
      for (const { count } of due.values()) missed = Math.min(COUNT_MAX, missed + count)
    }
  }

  /** As what it is counted: as its own while there are not too many. */
  function kindOf(own: Kind): Kind {
    if (counted.has(keyOf(own))) return own
    const kind = known < KNOWN_MAX ? own : { ...own, caller: null }
    return counted.size < KINDS_MAX || counted.has(keyOf(kind)) ? kind : OTHER
  }

  return {
    count(face, code, caller, times = 1) {
      const kind = kindOf({ face, code, caller })
      const key = keyOf(kind)
      const before = counted.get(key)
      if (!before && kind.caller !== null) known += 1
      counted.set(key, { ...kind, count: Math.min(COUNT_MAX, (before?.count ?? 0) + times) })
    },
    flush,
  }
}

interface Kind {
  readonly face: Face
  readonly code: string
  readonly caller: string | null
}
type Counted = Kind & { readonly count: number }

const OTHER: Kind = { face: 'system', code: 'other', caller: null }
const keyOf = ({ face, code, caller }: Kind) => `${face} ${code} ${caller ?? ''}`

function leafOf({ face, code, caller, count }: Counted, windowStart: Date, end: Date): LedgerEntry {
  const windowSeconds = Math.max(1, Math.round((end.getTime() - windowStart.getTime()) / 1000))
  return {
    type: 'refusals',
    act: bySystem('refusals'),
    ...{ windowStart, windowSeconds, refusedAt: face, code, caller, count },
  }
}

const outage = (count: number): LedgerEntry => ({
  type: 'outage',
  act: bySystem('outage'),
  reason: 'ledger',
  count,
})
