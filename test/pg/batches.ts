/** Many rows, a few thousand at a time: all of them at once may take longer than a statement has. */

const AT_ONCE = 4000

/** Calls `insert` for 1 to `count`, in turn, with the first and the last number of each batch. */
export async function inBatches(
  count: number,
  insert: (from: number, to: number) => Promise<unknown>,
): Promise<void> {
  for (let from = 1; from <= count; from += AT_ONCE) {
    await insert(from, Math.min(from + AT_ONCE - 1, count))
  }
}
