/** Where the embedded database lives on disk, and how it is made the first time. */
import { createHash, randomBytes } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { canEnter, type Owner, ownerOf, runAs } from './owner.ts'

const SUPERUSER = 'postgres'

export interface Home {
  /** Ours alone: the log, and a copy of the programs if need be. */
  readonly base: string
  /** The owner's: `data` and `password`. There whole, or not there. */
  readonly folder: string
  readonly data: string
  readonly owner: Owner | null
}

/**
 * Finds the home of this data folder. Where the uid that root drops to cannot reach the folder, the
 * home is under /var/tmp, and `data.path` in the folder remembers it.
 */
export function locateHome(dataDir: string): Home {
  const pointer = join(dataDir, 'data.path')
  const pointed = existsSync(pointer) ? readFileSync(pointer, 'utf8').trim() : null
  if (pointed !== null) checkPointed(pointed, pointer)
  const home = homeAt(pointed ?? dataDir)
  if (home.owner === null) checkOurs(home.folder)
  if (home.owner === null || canEnter(home.owner, home.base)) return home
  if (pointed !== null || existsSync(home.folder)) {
    const uid = String(home.owner.uid)
    throw new Error(
      `${home.base} holds data of uid ${uid}, which cannot enter it: chmod o+x the way there.`,
    )
  }
  const hash = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  const elsewhere = mkdtempSync(`/var/tmp/procura-${hash}-`) // nobody can be there first
  chmodSync(elsewhere, 0o711)
  writeFileSync(pointer, `${elsewhere}\n`)
  return homeAt(elsewhere)
}

/** The major version that made the data, or `null` where there are none yet. */
export function majorOfData({ data }: Home): number | null {
  const file = join(data, 'PG_VERSION')
  return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : null
}

/** Makes the cluster where there is none: passwords checked, UTF-8, sorted by code point. */
export async function makeCluster(home: Home, bin: string): Promise<void> {
  if (existsSync(home.folder)) return
  for (const name of readdirSync(home.base)) {
    // One that was killed at this left half a cluster.
    if (name.startsWith('postgres.new-')) rmSync(join(home.base, name), { recursive: true })
  }
  const fresh = `${home.folder}.new-${String(process.pid)}`
  const password = join(fresh, 'password')
  mkdirSync(fresh, { mode: 0o700 })
  writeFileSync(password, randomBytes(24).toString('base64url'), { mode: 0o600 })
  for (const path of home.owner ? [fresh, password] : []) {
    chownSync(path, home.owner?.uid ?? 0, home.owner?.gid ?? 0)
  }
  await runAs(home.owner, join(bin, 'initdb'), [
    ...['-D', join(fresh, 'data'), '-U', SUPERUSER, '-A', 'scram-sha-256'],
    ...[`--pwfile=${password}`, '--encoding=UTF8', '--locale=C', '--no-instructions'],
  ])
  renameSync(fresh, home.folder)
}

/** How to connect as the superuser of the cluster. Carries its password. */
export function urlOf({ folder }: Home, port: number): string {
  const password = readFileSync(join(folder, 'password'), 'utf8')
  return `postgres://${SUPERUSER}:${password}@127.0.0.1:${String(port)}/postgres`
}

function homeAt(base: string): Home {
  const folder = join(base, 'postgres')
  const owner = ownerOf(existsSync(folder) ? folder : null)
  return { base, folder, data: join(folder, 'data'), owner }
}

/** Never start from nothing where there were data, nor from what somebody else put there. */
function checkPointed(base: string, pointer: string): void {
  if (!existsSync(base)) {
    throw new Error(
      `The data are gone: ${base}, named in ${pointer}. Delete that file to start anew.`,
    )
  }
  if (statSync(base).uid !== process.getuid?.()) {
    throw new Error(`${base}, named in ${pointer}, belongs to somebody else. Start as that user.`)
  }
}

function checkOurs(folder: string): void {
  if (!existsSync(folder)) return
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (cause) {
    const uid = String(statSync(folder).uid)
    throw new Error(
      `${folder} belongs to uid ${uid}: start as that user or as root, or name another data folder.`,
      { cause },
    )
  }
}
