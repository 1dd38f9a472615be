/** Logs as JSON lines on stderr: what a command answers goes to stdout, and stays apart. */
import { destination, pino } from 'pino'
import type { Config } from '../config.ts'
import type { Log } from '../http/front.ts'

/** Where nobody reads, this much waits to be read; what comes then is left out. */
const UNREAD_OCTETS_MAX = 1024 * 1024

/** Does not wait for whoever reads it: a log that is not taken away holds nobody up. */
export function createLogger(level: Config['logLevel']): Log {
  return pino(
    { level, base: null },
    destination({ fd: 2, sync: false, maxLength: UNREAD_OCTETS_MAX }),
  )
}
