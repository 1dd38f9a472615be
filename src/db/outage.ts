/** Is it the question that is wrong, or is nobody there to answer? */

/**
 * SQLSTATE classes and codes that say the server is going, gone, full, too slow or too busy; or that a
 * table may not be read, or is not there: what it holds is then unknown, and not nothing.
 */
const DOWN = /^(08...|53...|57P0[1-5]|57014|55P03|25P0[34]|40001|40P01|42501|42P01|58...|XX00[12])$/
/** Deadlock or serialization failure: nothing was done, and doing it again may work. */
const GIVEN_UP = /^40(P01|001)$/

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
  // No more descriptors or addresses to reach it with.
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'EADDRNOTAVAIL',
])
const SAID =
  /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Cannot use a pool after|Client was closed)/

/** The answer to a commit was lost, and nobody could say what became of it, whatever kept them from it. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown'
}

/** True for errors after which nothing is known but that the database did not do its part. */
export function isOutage(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof OutcomeUnknown) return true
  if (error instanceof AggregateError) return error.errors.some(isOutage)
  return DOWN.test(codeOf(error)) || isBroken(error)
}

/** True where no connection came about, or none was kept: nobody has said anything. */
export function isBroken(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError && error.errors.some(isBroken)) return true
  return BROKEN.has(codeOf(error)) || SAID.test(error.message)
}

/** True for what the database gave up for somebody else's sake. */
export function isGivenUp(error: unknown): boolean {
  return error instanceof Error && GIVEN_UP.test(codeOf(error))
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}
