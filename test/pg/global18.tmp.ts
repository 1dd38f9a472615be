/** One PostgreSQL for the whole run, with a template database that has all migrations. */
import { chmodSync, existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import type { TestProject } from 'vitest/node'
import { type Embedded, startEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Connects as the superuser of this run's server. */
    readonly adminUrl: string
  }
}

export const TEMPLATE = 'procura_template'
export const MIGRATIONS = '/work/main/migrations'

// As durable as at work: the broker refuses to start on anything less.
const SETTINGS = { max_connections: '400', shared_buffers: '64MB', autovacuum: 'off' }

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { url, stop } = await startServer()
  project.provide('adminUrl', url)
  return stop
}

/** A server in a folder that goes with it. */
export async function startServer(): Promise<Pick<Embedded, 'url' | 'stop'>> {
  const dataDir = mkdtempSync(join(quickest(), 'procura-test-'))
  chmodSync(dataDir, 0o755) // When root runs the tests, somebody else runs the server.
  const { url, stop } = await startEmbedded({ dataDir, settings: SETTINGS, prefer: 'package' })
  const end = async () => {
    await stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    await makeTemplate(url)
  } catch (error) {
    await end()
    throw error
  }
  return { url, stop: end }
}

/** In memory, where there is room: a copy of a database then takes 20 ms instead of 200. */
function quickest(): string {
  const memory = '/dev/shm'
  if (!existsSync(memory)) return tmpdir()
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize > 2 ** 31 ? memory : tmpdir()
}

async function makeTemplate(url: string): Promise<void> {
  const admin = new Client({ connectionString: url })
  await admin.connect()
  try {
    await admin.query(`create database ${TEMPLATE}`)
    await migrate(withDatabase(url, TEMPLATE), { dir: MIGRATIONS })
    await admin.query(`alter database ${TEMPLATE} is_template true`)
  } finally {
    await admin.end()
  }
}

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}
