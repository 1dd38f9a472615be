/** A bounded memory of what was verified. What it forgets is verified again. */

export interface Cache<V> {
  get(key: string): V | undefined
  set(key: string, value: V): void
}

/** Holds at most `max` values; the one kept longest makes room. */
export function createCache<V>(max: number): Cache<V> {
  const kept = new Map<string, V>()
  return {
    get: (key) => kept.get(key),
    set(key, value) {
      kept.delete(key)
      kept.set(key, value)
      if (kept.size <= max) return
      for (const oldest of kept.keys()) {
        kept.delete(oldest)
        break
      }
    },
  }
}
