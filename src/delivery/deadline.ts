/** Time limits for whatever a target takes part in. */
import { setTimeout as pause } from 'node:timers/promises'

/**
 * Runs `work` for at most that many milliseconds. Its signal fires at the end, and the wait is over
 * even where the work does not heed it. It also fires, then, for what a work that failed has left behind;
 * never for one that is done.
 *
 * @throws DOMException `TimeoutError`
 */
export async function within<T>(
  milliseconds: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = new AbortController()
  const timer = setTimeout(() => {
    late.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'))
  }, milliseconds).unref()
  const done = await unless(late.signal, work(late.signal))
  clearTimeout(timer)
  return done
}

/** As `work` ends; or, when the signal fires first, at once: who waits lets go, and the work goes on. */
export async function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_resolve, reject) => {
    const tell = () => {
      reject(signal.reason as DOMException)
    }
    if (signal.aborted) tell()
    else signal.addEventListener('abort', tell, { once: true })
  })
  return await Promise.race([work, late])
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
