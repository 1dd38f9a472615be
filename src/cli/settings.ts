/** The configuration as a command wants it: read, and what looks mistyped said aloud. */
import { existsSync } from 'node:fs'
import { type Config, loadConfig } from '../config.ts'
import { POLICIES } from './home.ts'
import { printer } from './print.ts'

export function configuration(): Config {
  const { config, unknown } = loadConfig()
  for (const name of unknown) printer.note(`config     ${name} is not read by anything`)
  return config
}

/** The same, with the policies that are shipped where there are none yet: for trying things out. */
export function configurationToTry(): Config {
  const config = configuration()
  return existsSync(config.policiesDir) ? config : { ...config, policiesDir: POLICIES }
}
