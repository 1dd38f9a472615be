/** The schema as `pg_dump` tells it, without the lines that differ from one run or machine to another. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MIGRATIONS } from './global.ts'

export const SCHEMA = join(MIGRATIONS, 'schema.sql')

export interface PgDump {
  readonly program: string
  readonly major: number
}

/** The newest `pg_dump` of this machine, or `null` where there is none. */
export function findPgDump(): PgDump | null {
  const debian = '/usr/lib/postgresql'
  const majors = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  for (const program of [...majors.map((one) => join(debian, one, 'bin', 'pg_dump')), 'pg_dump']) {
    try {
      const said = execFileSync(program, ['--version'], { encoding: 'utf8' })
      return { program, major: Number(/(\d+)\./.exec(said)?.[1]) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return null
}

/** The first line of the file: which `pg_dump` it holds for. */
export function firstLine({ major }: PgDump): string {
  return `-- What pg_dump ${String(major)} --schema-only says of an empty database after all migrations: npm run schema`
}

/**
 * Dumps the schema of that database. Newer minor versions put a key into two lines, a new one each
 * time: those lines are left out, and with them those that name the version to the digit.
 */
export function dumpSchema(pgDump: PgDump, url: string): string {
  const { hostname, port, username, password, pathname } = new URL(url)
  const connect = ['-h', hostname, '-p', port, '-U', username, '-d', pathname.slice(1)]
  const text = execFileSync(pgDump.program, ['--schema-only', ...connect], {
    encoding: 'utf8',
    env: { ...process.env, PGPASSWORD: decodeURIComponent(password) }, // seen in no process list
  })
  const same = text.split('\n').filter((line) => !/^(\\(un)?restrict |-- Dumped )/.test(line))
  const body = same
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
  return `${firstLine(pgDump)}\n\n${body}\n`
}
