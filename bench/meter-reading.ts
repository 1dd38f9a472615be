/** What a measured server tells of itself. */

export interface Reading {
  /** User and system time of all threads since the beginning. */
  readonly cpuMicros: number
  readonly rssBytes: number
  /** From the headers of a request to the end of its answer, in milliseconds, since last asked. */
  readonly tookMs: readonly number[]
}

export function isReading(message: unknown): message is { readonly reading: Reading } {
  return typeof message === 'object' && message !== null && 'reading' in message
}
