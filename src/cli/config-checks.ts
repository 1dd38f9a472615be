/** What must be so for the broker to start, tried one by one; one that fails hides none of the others. */
import { createSecureContext } from 'node:tls'
import { createPool, refuseUnsafeSettings } from '../db/connect.ts'
import { refuseOthersRoles } from '../db/login.ts'
import { expectedVersion, schemaVersion } from '../db/migrate.ts'
import { isOutage } from '../db/outage.ts'
import type { Config } from '../config.ts'
import { createConnectors } from '../delivery/connectors.ts'
import { togetherOf } from '../delivery/target-limits.ts'
import { createTargets } from '../delivery/targets.ts'
import { prove } from '../key-renewal.ts'
import { loadKeys } from '../keys.ts'
import { contextOf } from '../peer/tls.ts'
import { inOneLine } from '../policy/findings.ts'
import { readFolder } from '../policy/folder.ts'
import { runCases } from '../policy/vet.ts'
import { rolesOf, SIDES_OF } from '../pools.ts'
import { openSealStore } from '../seal-store.ts'
import { loadCdpKeys, loadPdpKeys } from '../side-keys.ts'
import { orReason, tokenOf } from '../token.ts'
import { MIGRATIONS } from './home.ts'
import { countOf, shareOf } from './worker-share.ts'

export interface Check {
  readonly what: string
  readonly problems: readonly string[]
}

export async function checksOf(config: Config): Promise<Check[]> {
  const { role } = config
  return await Promise.all([
    tried('database', () => databaseProblems(config)),
    tried('keys', () => keyProblems(config)),
    ...(role === 'cdp' ? [] : [tried('policies', () => policyProblems(config))]),
    ...(role === 'pdp' ? [] : [tried('targets', () => targetProblems(config))]),
    ...(config.peer === null ? [] : [tried('peer', () => peerProblems(config.peer))]),
  ])
}

async function tried(what: string, look: () => Promise<string | string[]>): Promise<Check> {
  try {
    return { what, problems: [await look()].flat() }
  } catch (error) {
    return { what, problems: [error instanceof Error ? error.message : 'unknown'] }
  }
}

async function databaseProblems({ databaseUrl, role }: Config): Promise<string[]> {
  if (databaseUrl === null) return [] // One is started here, with what it needs.
  const [own = null] = role === 'all' ? [] : rolesOf(SIDES_OF[role])
  const pool = createPool({ url: databaseUrl.reveal(), role: own, max: 1, name: 'procura-check' })
  try {
    const version = await schemaVersion(pool)
    await refuseUnsafeSettings(pool)
    if (role !== 'all')
      await refuseOthersRoles(pool, rolesOf(SIDES_OF[role === 'pdp' ? 'cdp' : 'pdp']))
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

const LOADERS = { all: loadKeys, pdp: loadPdpKeys, cdp: loadCdpKeys } as const

async function keyProblems(config: Config): Promise<string[]> {
  const { keysDir, sealKey, sealToken, role } = config
  const problems: string[] = []
  const warn = (text: string) => problems.push(text)
  const open = tokenOf(config, warn)
  const how = { sealKey, sealToken, warn, token: open?.signers ?? null, now: new Date() }
  await orReason(prove(await LOADERS[role](keysDir, how)))
  if (role !== 'pdp') await openSealStore({ keysDir, sealKey, sealToken }, open?.using ?? null)
  return problems
}

/** Whether its files are what they should be; nobody is connected to. */
function peerProblems(peer: Config['peer']): Promise<string[]> {
  if (peer === null) return Promise.resolve([])
  try {
    createSecureContext(contextOf(peer))
    return Promise.resolve([])
  } catch {
    // OpenSSL may quote what it could not read.
    return Promise.resolve([
      'PROCURA_PEER_CERT, PROCURA_PEER_KEY and PROCURA_PEER_CA do not fit together',
    ])
  }
}

async function policyProblems({ policiesDir }: Config): Promise<string[]> {
  const { files, findings } = await runCases(await readFolder(policiesDir))
  return [...findings, ...files.flatMap(({ failures }) => failures)].map(inOneLine)
}

/** Whether their settings are those of their connectors; nobody is connected to. */
async function targetProblems(config: Config): Promise<string[]> {
  const { keysDir, sealKey, sealToken, role, concurrentMax } = config
  // As each process that serves has them.
  const { trust } = shareOf(config, countOf(config.workers))
  const names = Object.entries(trust.targets)
  if (names.length === 0) return []
  const load = LOADERS[role === 'cdp' ? 'cdp' : 'all']
  const { credentials } = await load(keysDir, { sealKey, sealToken })
  const secrets = { use: () => Promise.reject(new Error('nothing is opened here')) }
  const signer = { issuer: 'https://broker.example', keys: credentials }
  const exclusively = () => Promise.reject(new Error('nothing is changed here'))
  const house = { owner: 'check', clock: () => new Date(), exclusively }
  const kinds = createConnectors({ credentials: signer, secrets, ...house })
  const problemsOf = (targets: Config['trust']['targets']) => {
    try {
      createTargets(kinds, targets, togetherOf(concurrentMax))
      return []
    } catch (error) {
      return error instanceof Error ? error.message : 'unknown'
    }
  }
  const alone = names.flatMap(([name, target]) => problemsOf({ [name]: target }))
  return alone.length > 0 ? alone : [problemsOf(trust.targets)].flat()
}
