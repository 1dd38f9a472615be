/** How long a thread ran in one turn of its event loop, by what was seen of it. */

/** One turn, in µs of the monotonic clock. */
export interface Turn {
  readonly from: number
  readonly to: number
  /** What the kernel says that the thread used in it. */
  readonly cpu: number
}

/** Who looks is a thread, too, and comes late where many want the processors; this late where the host has them. */
const UNSEEN_US_MIN = 50_000

export const usedIn = ({ from, to, cpu }: Turn) => Math.min(cpu, to - from)

/**
 * A processor that the host gives to others amid a turn is charged to whoever had it here, but nobody
 * sees a thread run on it meanwhile. (Nor where the one who looks has lost his, nor in a call of the
 * kernel that takes as long: so whoever asks says what is left out.)
 *
 * @param seen when the thread was seen, in µs of that clock, rising; where it never was, nobody looked
 * @returns µs, at most what was used
 */
export function ranIn(turn: Turn, seen: readonly number[]): number {
  if (seen.length === 0) return usedIn(turn)
  const within = seen.filter((at) => at > turn.from && at < turn.to)
  const marks = [turn.from, ...within, turn.to]
  const unseen = marks
    .map((at, n) => at - (marks[n - 1] ?? at))
    .filter((gap) => gap >= UNSEEN_US_MIN)
    .reduce((sum, gap) => sum + gap, 0)
  return Math.min(turn.cpu, turn.to - turn.from - unseen)
}
