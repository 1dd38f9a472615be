/** The configuration as a command wants it: read, and what looks mistyped said aloud. */
import { type Config, loadConfig } from '../config.ts'
import { printer } from './print.ts'

export function configuration(): Config {
  const { config, unknown } = loadConfig()
  for (const name of unknown) printer.note(`config     ${name} is not read by anything`)
  return config
}
