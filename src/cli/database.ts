/** The database of a command: the one that DATABASE_URL names, else one that is started here. */
import { createPool, type Role } from '../db/connect.ts'
import { type Embedded, startEmbedded } from '../db/embedded.ts'
import { migrate } from '../db/migrate.ts'
import type { Config } from '../config.ts'
import { Secret } from '../domain/secret.ts'
import { MIGRATIONS } from './home.ts'

export type WithDatabase = Config & { readonly databaseUrl: Secret }

export interface OpenDatabase {
  readonly config: WithDatabase
  /** `null`: somebody else runs it. */
  readonly embedded: Pick<Embedded, 'version' | 'source'> | null
  readonly stop: () => Promise<void>
}

/** @param settings further ones of the server, should one be started here */
export async function openDatabase(
  config: Config,
  settings: Readonly<Record<string, string>> = {},
): Promise<OpenDatabase> {
  const { databaseUrl, dataDir } = config
  if (databaseUrl !== null) {
    return { config: { ...config, databaseUrl }, embedded: null, stop: () => Promise.resolve() }
  }
  const embedded = await startEmbedded({ dataDir, settings })
  return {
    config: { ...config, databaseUrl: new Secret(embedded.url) },
    embedded,
    stop: () => embedded.stop(),
  }
}

/** The numbers of the migrations that were missing. */
export async function bringUpToDate({ databaseUrl }: WithDatabase): Promise<number[]> {
  return await migrate(databaseUrl.reveal(), { dir: MIGRATIONS })
}

/** Runs `work` with the database of this configuration, and stops what was started for it. */
export async function withDatabase<T>(
  config: Config,
  work: (config: WithDatabase) => Promise<T>,
): Promise<T> {
  const { config: opened, stop } = await openDatabase(config)
  try {
    return await work(opened)
  } finally {
    await stop()
  }
}

/** A pool for one command's few queries. */
export function poolFor({ databaseUrl }: Pick<WithDatabase, 'databaseUrl'>, role: Role | null) {
  return createPool({ url: databaseUrl.reveal(), role, max: 2, name: 'procura-cli' })
}
