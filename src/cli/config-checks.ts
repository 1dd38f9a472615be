/** What must be so for the broker to start, tried one by one; one that fails hides none of the others. */
import { createPool, refuseUnsafeSettings } from '../db/connect.ts'
import { expectedVersion, schemaVersion } from '../db/migrate.ts'
import { isOutage } from '../db/outage.ts'
import type { Config } from '../config.ts'
import { createConnectors } from '../delivery/connectors.ts'
import { createTargets } from '../delivery/targets.ts'
import { loadKeys } from '../keys.ts'
import { inOneLine } from '../policy/findings.ts'
import { readFolder } from '../policy/folder.ts'
import { runCases } from '../policy/vet.ts'
import { MIGRATIONS } from './home.ts'

export interface Check {
  readonly what: string
  readonly problems: readonly string[]
}

export async function checksOf(config: Config): Promise<Check[]> {
  return await Promise.all([
    tried('database', () => databaseProblems(config)),
    tried('keys', () => keyProblems(config)),
    tried('policies', () => policyProblems(config)),
    tried('targets', () => targetProblems(config)),
  ])
}

async function tried(what: string, look: () => Promise<string | string[]>): Promise<Check> {
  try {
    return { what, problems: [await look()].flat() }
  } catch (error) {
    return { what, problems: [error instanceof Error ? error.message : 'unknown'] }
  }
}

async function databaseProblems({ databaseUrl }: Config): Promise<string[]> {
  if (databaseUrl === null) return [] // One is started here, with what it needs.
  const pool = createPool({ url: databaseUrl.reveal(), role: null, max: 1, name: 'procura-check' })
  try {
    const version = await schemaVersion(pool)
    await refuseUnsafeSettings(pool)
    const expected = expectedVersion(MIGRATIONS)
    if (version === expected) return []
    const both = `the schema is at ${String(version)}, and this code is for ${String(expected)}`
    return [version < expected ? `${both}: run procura migrate` : `${both}: run the newer version`]
  } catch (error) {
    if (!isOutage(error)) throw error
    return ['nobody answers at DATABASE_URL']
  } finally {
    await pool.end()
  }
}

async function keyProblems({ keysDir, sealKey }: Config): Promise<string[]> {
  const problems: string[] = []
  await loadKeys(keysDir, { sealKey, warn: (text) => problems.push(text) })
  return problems
}

async function policyProblems({ policiesDir }: Config): Promise<string[]> {
  const { files, findings } = await runCases(await readFolder(policiesDir))
  return [...findings, ...files.flatMap(({ failures }) => failures)].map(inOneLine)
}

/** Whether their settings are those of their connectors; nobody is connected to. */
async function targetProblems({ keysDir, sealKey, trust }: Config): Promise<string[]> {
  const names = Object.entries(trust.targets)
  if (names.length === 0) return []
  const { credentials } = await loadKeys(keysDir, { sealKey })
  const secrets = { use: () => Promise.reject(new Error('nothing is opened here')) }
  const signer = { issuer: 'https://broker.example', keys: credentials }
  const kinds = createConnectors({ credentials: signer, secrets, owner: 'check' })
  return names.flatMap(([name, target]) => {
    try {
      createTargets(kinds, { [name]: target })
      return []
    } catch (error) {
      return error instanceof Error ? error.message : 'unknown'
    }
  })
}
