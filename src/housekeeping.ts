/** What has to be done again and again, one round at a time, until the broker stops. */

export interface Chore {
  readonly name: string
  readonly everyMs: number
  readonly work: () => Promise<unknown>
}

export interface Housekeeping {
  stop(): Promise<void>
}

/** A round that fails is reported and tried again in its time; it never ends the broker. */
export function keepHouse(
  chores: readonly Chore[],
  failed: (chore: string, error: unknown) => void,
): Housekeeping {
  const rounds = chores.map((chore) => repeat(chore, failed))
  return {
    async stop() {
      await Promise.all(rounds.map((stop) => stop()))
    },
  }
}

function repeat(
  { name, everyMs, work }: Chore,
  failed: (chore: string, error: unknown) => void,
): () => Promise<void> {
  let isStopped = false
  let timer: NodeJS.Timeout | undefined
  let round: Promise<void> = Promise.resolve()

  const later = () => {
    if (isStopped) return
    timer = setTimeout(() => {
      round = work()
        .then(
          () => undefined,
          (error: unknown) => {
            failed(name, error)
          },
        )
        .then(later)
    }, everyMs)
    timer.unref()
  }
  later()
  return async () => {
    isStopped = true
    clearTimeout(timer)
    await round
  }
}
