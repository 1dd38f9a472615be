/** What the delivering side refused by itself: counted here, and told the side that keeps the record of it. */
import { BrokerError } from '../domain/problems.ts'
import type { Face } from '../domain/request.ts'
import { type Answering, COUNT_MAX, NoQuestion, REFUSED_MAX, type Refused } from './questions.ts'

/** Of many callers the later ones are nobody's, so that strangers cannot fill the memory. */
const KNOWN_MAX = 250

export interface TellingRefusals {
  count(face: Face, code: string, caller: string | null): void
  /** Tells what was counted. What cannot be told now is kept for the next time. */
  flush(): Promise<void>
}

export interface TellingOptions extends Pick<Answering, 'refused'> {
  /** Told of what the other side does not understand: that is given up. */
  readonly report: (what: string, why: unknown) => void
}

export function createTellingRefusals({ refused, report }: TellingOptions): TellingRefusals {
  let counted = new Map<string, Refused>()

  function add({ face, code, caller, count }: Refused): void {
    const own = `${face} ${code} ${caller ?? ''}`
    const isNobodys = counted.size >= KNOWN_MAX && !counted.has(own)
    const key = isNobodys ? `${face} ${code} ` : own
    const sum = Math.min(COUNT_MAX, (counted.get(key)?.count ?? 0) + count)
    counted.set(key, { face, code, caller: isNobodys ? null : caller, count: sum })
  }

  async function tell(some: readonly Refused[]): Promise<void> {
    try {
      await refused(some)
    } catch (error) {
      if (!isNoQuestion(error)) throw error
      report('refusals were not understood by the deciding side, and are not on record', error)
    }
  }

  return {
    count(face, code, caller) {
      add({ face, code, caller, count: 1 })
    },
    async flush() {
      const due = [...counted.values()]
      counted = new Map()
      try {
        while (due.length > 0) {
          await tell(due.slice(0, REFUSED_MAX))
          due.splice(0, REFUSED_MAX)
        }
      } catch (error) {
        for (const one of due) add(one)
        throw error
      }
    },
  }
}

const isNoQuestion = (error: unknown) =>
  error instanceof BrokerError && error.cause instanceof NoQuestion
