/** The decider, watched: whoever asks for a canary is stopped before they are told a no like any other. */
import type { DecisionId } from './domain/ids.ts'
import type { Decider } from './domain/ports.ts'
import { unavailable } from './domain/problems.ts'

/**
 * Also where the answer is told again: what failed the first time is made good by the second. What
 * cannot be recorded is 503, and not the ordinary refusal.
 */
export function createWatchedDecider(
  decider: Decider,
  trip: (decision: DecisionId) => Promise<void>,
): Decider {
  return {
    ...decider,
    async decide(presented, read) {
      const ruling = await decider.decide(presented, read)
      if (ruling.kind !== 'deny' || !ruling.answer.isCanary) return ruling
      await trip(ruling.decision).catch((cause: unknown) => {
        throw unavailable('ledger', cause)
      })
      // From here on nobody knows.
      const { isCanary: _mark, ...answer } = ruling.answer
      return { ...ruling, answer }
    },
  }
}
