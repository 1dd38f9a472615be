/** A target that does not answer is tried again after a while, by one: all else that is due there waits with it. */

const REST_MS = { first: 250, most: 5000 }

/** Times are milliseconds on one clock, whichever that is. */
export interface Resting {
  /** How many may be tried there now: all, one that finds out for all, or none. */
  lanes(target: string, all: number, now: number): number
  /** What has been tried there came to an answer, be it a no; or none of it did. */
  note(target: string, isAnswered: boolean, now: number): void
}

export function createResting(): Resting {
  const silent = new Map<string, { readonly times: number; readonly until: number }>()
  return {
    lanes(target, all, now) {
      const found = silent.get(target)
      if (found === undefined) return all
      return now < found.until ? 0 : 1
    },
    note(target, isAnswered, now) {
      if (isAnswered) {
        silent.delete(target)
        return
      }
      const times = (silent.get(target)?.times ?? 0) + 1
      const ms = Math.min(REST_MS.most, REST_MS.first * 2 ** Math.min(times - 1, 10))
      silent.set(target, { times, until: now + ms })
    },
  }
}
