/** Proofs that were seen, in the memory of one process: where several serve, they share another store. */

/** A proof lives for about a minute: these are far more calls than one process answers in that time. */
const KEPT_MAX = 100_000
/** Of one key, so that nobody alone takes all there are: each call has a credential of its own behind it. */
const KEPT_MAX_EACH = 10_000
const SWEEP_MS = 1000

/** `proof`: the thumbprint of its key, a space, its `jti`. */
export type ProofStore = (proof: string, until: Date) => boolean

/** When it is full of proofs that still count it says no to all others: that is the safe side. */
export function createProofStore(clock: () => Date = () => new Date()): ProofStore {
  const seen = new Map<string, number>()
  const counts = new Map<string, number>()
  let sweptAt = -Infinity

  function count(proof: string, more: 1 | -1): void {
    const now = (counts.get(keyOf(proof)) ?? 0) + more
    if (now === 0) counts.delete(keyOf(proof))
    else counts.set(keyOf(proof), now)
  }

  function sweep(now: number): void {
    sweptAt = now
    for (const [old, ends] of seen) {
      if (ends >= now) continue
      seen.delete(old)
      count(old, -1)
    }
  }

  return (proof, until) => {
    const now = clock().getTime()
    const isFull = () => seen.size >= KEPT_MAX || (counts.get(keyOf(proof)) ?? 0) >= KEPT_MAX_EACH
    if ((seen.get(proof) ?? -Infinity) >= now) return false
    if (isFull() && Math.abs(now - sweptAt) >= SWEEP_MS) sweep(now)
    if (isFull()) return false
    if (!seen.has(proof)) count(proof, 1)
    seen.set(proof, until.getTime())
    return true
  }
}

const keyOf = (proof: string) => proof.split(' ', 1)[0] ?? ''
