/** What is being worked on, whether or not anybody still waits for the answer. */

export interface Running {
  /** Counted until it settles; how it ends is whoever started it's business. */
  track<T>(work: Promise<T>): Promise<T>
  /** Resolves when nothing is being worked on, or when `ms` have passed. */
  settled(ms: number): Promise<void>
}

export function createRunning(): Running {
  const running = new Set<Promise<unknown>>()
  return {
    track(work) {
      running.add(work)
      const over = () => running.delete(work)
      work.then(over, over)
      return work
    },
    async settled(ms) {
      const deadline = AbortSignal.timeout(ms)
      const late = new Promise<void>((resolve) => {
        deadline.addEventListener('abort', () => {
          resolve()
        })
      })
      while (running.size > 0 && !deadline.aborted) {
        await Promise.race([Promise.allSettled(running), late])
      }
    },
  }
}
