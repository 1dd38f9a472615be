/** Logs as JSON lines on stderr: what a command answers goes to stdout, and stays apart. */
import { destination, pino } from 'pino'
import type { Config } from '../config.ts'
import type { Log } from '../http/front.ts'

export function createLogger(level: Config['logLevel']): Log {
  return pino({ level, base: null }, destination({ fd: 2, sync: true }))
}
