/** Time limits for whatever a target takes part in. */

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
