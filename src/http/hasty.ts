/** Who proved who they are, asked too often, and asks again at once: refused before anything is looked at. */
import { sha256 } from '../domain/digest.ts'

/** As long as they were told to wait. */
const WAIT_MS = 1000
/** Whoever was told longest ago is forgotten first. */
const KEPT_MAX = 10_000

/** By what was shown and where it came from: whoever took a token holds up nobody elsewhere. */
export interface Hasty {
  note(source: string, authorization: string | undefined): void
  has(source: string, authorization: string | undefined): boolean
}

/** @param elapsed a monotonic clock, in milliseconds */
export function createHasty(elapsed: () => number = () => performance.now()): Hasty {
  const until = new Map<string, number>()
  const nameOf = (source: string, authorization: string) => `${source} ${sha256(authorization)}`
  return {
    note(source, authorization) {
      if (authorization === undefined) return
      const name = nameOf(source, authorization)
      until.delete(name)
      if (until.size >= KEPT_MAX) until.delete(until.keys().next().value ?? '')
      until.set(name, elapsed() + WAIT_MS)
    },
    has(source, authorization) {
      if (until.size === 0 || authorization === undefined) return false
      const name = nameOf(source, authorization)
      const isHasty = elapsed() < (until.get(name) ?? 0)
      if (!isHasty) until.delete(name)
      return isHasty
    },
  }
}
