/** Time limits for whatever a target takes part in. */
import { setTimeout as pause } from 'node:timers/promises'

/**
 * Runs `work` for at most that many milliseconds. Its signal fires at the end, and the wait is over
 * even where the work does not heed it.
 *
 * @throws DOMException `TimeoutError`
 */
export async function within<T>(
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.timeout(milliseconds)
  const late = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as DOMException)
    })
  })
  return await Promise.race([work(signal), late])
}

export function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError'
}

/** Waits for all of it, however it ends, or for that many milliseconds. */
export async function atMost(
  milliseconds: number,
  works: readonly Promise<unknown>[],
): Promise<void> {
  const done = new AbortController()
  const late = pause(milliseconds, undefined, { signal: done.signal }).catch(() => undefined)
  await Promise.race([Promise.allSettled(works), late])
  done.abort()
}
