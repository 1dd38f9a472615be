/** Proofs that were seen, in the memory of one process: where several serve, they share another store. */

/** A proof lives for about a minute: these are far more calls than one process answers in that time. */
const KEPT_MAX = 100_000

export type ProofStore = (proof: string, until: Date) => boolean

/** When it is full of proofs that still count it says no to all others: that is the safe side. */
export function createProofStore(clock: () => Date = () => new Date()): ProofStore {
  const seen = new Map<string, number>()
  return (proof, until) => {
    const now = clock().getTime()
    if ((seen.get(proof) ?? -Infinity) >= now) return false
    if (seen.size >= KEPT_MAX) {
      for (const [old, ends] of seen) if (ends < now) seen.delete(old)
    }
    if (seen.size >= KEPT_MAX) return false
    seen.delete(proof)
    seen.set(proof, until.getTime())
    return true
  }
}
