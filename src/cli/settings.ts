/** The configuration as a command wants it: read, and what looks mistyped said aloud. */
import { existsSync } from 'node:fs'
import { type Config, loadConfig } from '../config.ts'
import type { WithDatabase } from './database.ts'
import { CommandError, EXIT } from './exit.ts'
import { POLICIES } from './home.ts'
import { printer } from './print.ts'

/** @param role as the command line says; left out, as the environment does */
export function configuration(role?: string): Config {
  const said = role === undefined ? {} : { PROCURA_ROLE: role }
  const { config, unknown } = loadConfig(undefined, said)
  for (const name of unknown) printer.note(`config     ${name} is not read by anything`)
  return config
}

/** The same, with the policies that are shipped where there are none yet: for trying things out. */
export function configurationToTry(): Config {
  const config = configuration()
  return existsSync(config.policiesDir) ? config : { ...config, policiesDir: POLICIES }
}

/** @throws CommandError where no database is named: for what is done to one that others use */
export function connected(config: Config): WithDatabase {
  const { databaseUrl } = config
  if (databaseUrl === null) throw new CommandError('this needs DATABASE_URL', EXIT.usage)
  return { ...config, databaseUrl }
}
