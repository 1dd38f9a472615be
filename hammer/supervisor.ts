/** Starts a broker again when it is gone, as whoever runs it would; and lets go on what was stopped. */
import type { Replica, World } from './world.ts'

export interface Supervisor {
  /** How often a broker had to be started again. */
  readonly restarts: () => number
  /** Resolves when every broker runs. @throws Error when one did not come up again */
  settled(): Promise<void>
  /** From now on the dead stay dead. */
  leave(): void
}

/** @param tell of a broker that is there again: what nobody could do meanwhile is due from then on */
export function supervise({ replicas }: World, tell: (text: string) => void): Supervisor {
  let restarts = 0
  let hasLeft = false
  let failure: Error | null = null
  const reviving = new Set<Promise<void>>()

  function watch(replica: Replica): void {
    const revival = replica.broker().ended.then(async () => {
      if (hasLeft) return
      const revived = replica.restart().then(() => {
        restarts += 1
        tell(`replica ${String(replica.number)} runs again`)
        watch(replica)
      })
      reviving.add(revived)
      await revived.finally(() => reviving.delete(revived))
    })
    revival.catch((error: unknown) => {
      failure = error instanceof Error ? error : new Error('a broker did not come up again')
    })
  }

  for (const replica of replicas) watch(replica)
  return {
    restarts: () => restarts,
    async settled() {
      while (reviving.size > 0) await Promise.all(reviving)
      if (failure !== null) throw failure
    },
    leave() {
      hasLeft = true
    },
  }
}
