/** Is it the question that is wrong, or is nobody there to answer? */

/** SQLSTATE classes and codes that say the server is going, gone, full or too slow. */
const DOWN = /^(08...|53...|57P0[1-5]|57014|55P03|25P0[34]|58...|XX00[12])$/

/** What the operating system and the driver say of a connection that cannot be made or kept. */
const BROKEN = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
])
const SAID =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Cannot use a pool after|Client was closed)/

/** True for errors after which nothing is known but that the database did not do its part. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError) return error.errors.some(isOutage)
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  return DOWN.test(code) || BROKEN.has(code) || SAID.test(error.message)
}
