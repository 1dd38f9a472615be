/** Turns at the targets that are called for agents, and what is said to a call that gets none. */
import type { Intent } from '../../domain/lease.ts'
import { callingAt, NoRoom, noRoom, type Together, togetherOf } from '../target-limits.ts'
import type { Turn } from '../turns.ts'
import { type Declared, denied } from './target.ts'

export interface Places {
  /**
   * To be ended when the call is over.
   *
   * @throws BrokerError `unavailable` where there is none in time
   */
  enter(of: Pick<Intent, 'target' | 'sponsor' | 'lease'>, left: AbortSignal): Promise<Turn>
}

export function createPlaces(targets: Declared, together: Together = togetherOf()): Places {
  const turns = new Map(
    Object.entries(targets).map(([name, { limits }]) => [name, callingAt(name, together, limits)]),
  )
  return {
    async enter(of, left) {
      const at = turns.get(of.target)
      if (at === undefined) throw denied()
      try {
        return await at.take(of, left)
      } catch (error) {
        throw error instanceof NoRoom ? noRoom(error) : error
      }
    },
  }
}
