/**
 * A real PostgreSQL without any setting up: started on loopback, with its data kept in a folder, and
 * ended with the broker, however the broker ends.
 */
import { mkdirSync, realpathSync } from 'node:fs'
import { findBinaries, type Source } from './embedded/binaries.ts'
import { locateHome, majorOfData, makeCluster, urlOf } from './embedded/home.ts'
import { lockFolder } from './embedded/lock.ts'
import { type Settings, startPostmaster } from './embedded/postmaster.ts'

export interface Embedded {
  /** Connects as the superuser of this server. Carries a password. */
  readonly url: string
  readonly version: string
  readonly source: Source
  /** A fast shutdown; resolves when the server is gone. May be called twice. */
  readonly stop: () => Promise<void>
}

export interface EmbeddedOptions {
  readonly dataDir: string
  readonly log?: (message: string) => void
  /** Takes the programs from there and nowhere else. */
  readonly prefer?: Source
  /** Further server settings. They win over ours. */
  readonly settings?: Settings
}

/**
 * Starts the server of this data folder, made on the first call. Needs no install script and no
 * root; as root it runs the server as somebody else. Durable: what is committed survives a crash.
 *
 * Throws when another broker has the folder, when there are no programs or none that fit the data,
 * and when the server does not start. Each error says what would help.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  mkdirSync(options.dataDir, { recursive: true })
  const dataDir = realpathSync(options.dataDir)
  const unlock = await lockFolder(dataDir)
  try {
    const { prefer, log } = options
    const home = locateHome(dataDir)
    const { base: spare, owner } = home
    const binaries = await findBinaries({ owner, prefer, major: majorOfData(home), spare })
    await makeCluster(home, binaries.bin)
    const { port, stop } = await startPostmaster(home, binaries.bin, options.settings ?? {})
    let stopped: Promise<void> | undefined

    const { version, source } = binaries
    log?.(`PostgreSQL ${version} (${source}) on 127.0.0.1:${String(port)}, data in ${home.folder}`)
    const url = urlOf(home, port)
    return { url, version, source, stop: () => (stopped ??= stop().finally(unlock)) }
  } catch (error) {
    unlock()
    throw error
  }
}
