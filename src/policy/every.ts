/** Does something again and again, never twice at once. */

/** Runs `work` each `ms` milliseconds until the returned function is called. `work` never rejects. */
export type Every = (ms: number, work: () => Promise<void>) => () => void

/** By the system's timer, which keeps no process alive. */
export const everyMs: Every = (ms, work) => {
  let isOver = false
  let timer: NodeJS.Timeout
  const next = () => {
    timer = setTimeout(() => {
      work().then(
        () => {
          if (!isOver) next()
        },
        () => {
          if (!isOver) next()
        },
      )
    }, ms)
    timer.unref()
  }
  next()
  return () => {
    isOver = true
    clearTimeout(timer)
  }
}
