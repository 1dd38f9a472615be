/** What is asked while the same is under way is done together, in the next round. */

/** @returns a function that hands its item to the next round, and resolves as that round does */
export function together<Item, Result>(
  round: (items: readonly Item[]) => Promise<Result>,
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
      return round(items)
    })
    // How a round ended is for those who were in it; the one after it begins all the same.
    last = next.catch(() => undefined)
    return next
  }
}
