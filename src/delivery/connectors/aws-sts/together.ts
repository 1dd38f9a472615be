/** What is asked while the same is under way is done together, in the next round. */
import { within } from '../../deadline.ts'

/** Longer than what one does may take, and than it waits for its turn among all roles. */
const ROUND_MS = 60_000

/**
 * @param round whose signal fires when its time is over: the next one begins then, whatever became of it
 * @returns a function that hands its item to the next round, and resolves as that round does
 */
export function together<Item, Result>(
  round: (items: readonly Item[], signal: AbortSignal) => Promise<Result>,
  milliseconds = ROUND_MS,
): (item: Item) => Promise<Result> {
  let waiting: Item[] = []
  let next: Promise<Result> | null = null
  let last: Promise<unknown> = Promise.resolve()
  return (item) => {
    waiting.push(item)
    if (next !== null) return next
    next = last.then(() => {
      const items = waiting
      waiting = []
      next = null
      return within(milliseconds, (signal) => round(items, signal))
    })
    // How a round ended is for those who were in it; the one after it begins all the same.
    last = next.catch(() => undefined)
    return next
  }
}
