/** Brings a database to the version of the code: numbered SQL files, forward only, each whole or not at all. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client, type Pool } from 'pg'

const LOCK = 7_067_862 // Any number that nothing else in the database takes.

const BEGIN = `
  begin;
  select pg_advisory_xact_lock(${String(LOCK)});
  set local lock_timeout = '30s'`

const BOOTSTRAP = `
  create schema if not exists procura;
  create table if not exists procura.migration (
    number     integer     primary key check (number > 0),
    name       text        not null,
    checksum   text        not null,
    applied_at timestamptz not null default now()
  );
  grant select on procura.migration to public`

export interface MigrateOptions {
  /** The folder of `NNNN_<what>.sql`. */
  readonly dir: string
  readonly log?: (message: string) => void
}

/**
 * Applies what is missing, and returns the numbers applied. Safe to run twice at once: each file is
 * one transaction that takes a lock, and writes its number down first.
 *
 * Refuses, before it changes anything, when a file was altered after it was applied, when one was
 * slipped in between, and when the database is newer than the code.
 */
export async function migrate(url: string, { dir, log }: MigrateOptions): Promise<number[]> {
  const files = readMigrations(dir)
  const client = new Client({ connectionString: url, application_name: 'procura-migrate' })
  client.on('error', () => undefined) // Each query that a broken connection stops says so itself.
  await client.connect()
  try {
    await inOneTransaction(client, () => client.query(BOOTSTRAP))
    const applied: number[] = []
    for (const file of files) {
      if (!(await apply(client, files, file))) continue
      applied.push(file.number)
      log?.(`applied migration ${file.name}`)
    }
    return applied
  } finally {
    await client.end()
  }
}

/** The highest number applied to this database; 0 where there is none. */
export async function schemaVersion(pool: Pick<Pool, 'query'>): Promise<number> {
  const { rows: tables } = await pool.query<{ found: boolean }>(
    `select to_regclass('procura.migration') is not null as found`,
  )
  if (!tables[0]?.found) return 0
  const { rows } = await pool.query<{ number: number }>(
    'select coalesce(max(number), 0)::integer as number from procura.migration',
  )
  return rows[0]?.number ?? 0
}

/** The number that the code was written for: the highest in its folder. */
export function expectedVersion(dir: string): number {
  return readMigrations(dir).at(-1)?.number ?? 0
}

/** Whether the file was applied now; false when it had been before. */
async function apply(
  client: Client,
  files: readonly Migration[],
  file: Migration,
): Promise<boolean> {
  return await inOneTransaction(client, async () => {
    const { rows } = await client.query<Migration>(
      'select number, name, checksum from procura.migration order by number',
    )
    checkHistory(files, rows)
    if (rows.some(({ number }) => number === file.number)) return false
    await client.query(
      'insert into procura.migration (number, name, checksum) values ($1, $2, $3)',
      [file.number, file.name, file.checksum],
    )
    await client.query(file.text).catch((cause: unknown) => {
      throw new Error(`Migration ${file.name} failed, and changed nothing: ${messageOf(cause)}`, {
        cause,
      })
    })
    return true
  })
}

function checkHistory(
  files: readonly Migration[],
  applied: readonly Omit<Migration, 'text'>[],
): void {
  const newest = applied.at(-1)?.number ?? 0
  const known = files.at(-1)?.number ?? 0
  if (newest > known) {
    const numbers = `${String(newest)}, newer than this code (${String(known)})`
    throw new Error(`The database is at migration ${numbers}. Run the newer version of Procura.`)
  }
  for (const { number, name, checksum } of applied) {
    const file = files.find((one) => one.number === number)
    if (file?.checksum === checksum) continue
    const how = file ? 'was altered' : 'was removed'
    throw new Error(
      `Migration ${name} ${how} after it was applied. Restore it; changes go into a new file.`,
    )
  }
  const late = files.find(
    ({ number }) => number < newest && !applied.some((one) => one.number === number),
  )
  if (late) {
    const place = `after ${String(newest)} was applied`
    throw new Error(`Migration ${late.name} was slipped in ${place}. Give it the next number.`)
  }
}

async function inOneTransaction<T>(client: Client, work: () => Promise<T>): Promise<T> {
  await client.query(BEGIN)
  try {
    const result = await work()
    await client.query('commit')
    await client.query('discard all') // What one file sets does not reach the next.
    return result
  } catch (error) {
    await client.query('rollback').catch(() => undefined) // Nobody left to ask: it is rolled back.
    throw error
  }
}

function readMigrations(dir: string): Migration[] {
  const names = readdirSync(dir).filter((name) => /^\d{4}_.*\.sql$/.test(name))
  return names.sort().map((name, index) => {
    const number = Number.parseInt(name, 10)
    if (number !== index + 1) {
      throw new Error(
        `${join(dir, name)} should be number ${String(index + 1)}: one each, and no gaps.`,
      )
    }
    const text = readFileSync(join(dir, name), 'utf8')
    return { number, name, text, checksum: createHash('sha256').update(text).digest('hex') }
  })
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'unknown'
}

interface Migration {
  readonly number: number
  readonly name: string
  readonly checksum: string
  readonly text: string
}
