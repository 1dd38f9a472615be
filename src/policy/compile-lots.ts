/** Pure: chance that can be had again: the same seed gives the same lots. */

export interface Lots {
  /** A whole number from 0 to below `end`. */
  below(end: number): number
  /** Whether one of `times` equal chances came. */
  oneIn(times: number): boolean
  /** One of them; throws when there is none. */
  among<Item>(items: readonly Item[]): Item
}

/** mulberry32: small, and good enough to look for differences with. */
export function drawLots(seed: number): Lots {
  let state = seed | 0
  const below = (end: number) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * end)
  }
  return {
    below,
    oneIn: (times) => below(times) === 0,
    among<Item>(items: readonly Item[]): Item {
      const at = below(items.length)
      if (at >= items.length) throw new RangeError('there is nothing to choose from')
      return items[at] as Item
    },
  }
}
