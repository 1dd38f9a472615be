/** What the delivering side refused by itself: counted here, and told the side that keeps the record of it. */
import type { Face } from '../domain/request.ts'
import { type Answering, REFUSED_MAX, type Refused } from './questions.ts'

export interface TellingRefusals {
  count(face: Face, code: string, caller: string | null): void
  /** Tells what was counted. What cannot be told now is kept for the next time. */
  flush(): Promise<void>
}

export function createTellingRefusals({ refused }: Pick<Answering, 'refused'>): TellingRefusals {
  let counted = new Map<string, Refused>()

  function add({ face, code, caller, count }: Refused): void {
    const own = `${face} ${code} ${caller ?? ''}`
    // Of many callers the later ones are nobody's, so that strangers cannot fill the memory.
    const isNobodys = counted.size >= REFUSED_MAX / 2 && !counted.has(own)
    const key = isNobodys ? `${face} ${code} ` : own
    const before = counted.get(key)?.count ?? 0
    counted.set(key, { face, code, caller: isNobodys ? null : caller, count: before + count })
  }

  return {
    count(face, code, caller) {
      add({ face, code, caller, count: 1 })
    },
    async flush() {
      const due = [...counted.values()]
      if (due.length === 0) return
      counted = new Map()
      try {
        await refused(due)
      } catch (error) {
        for (const one of due) add(one)
        throw error
      }
    },
  }
}
