/** Puts the password of a target where only the part that mints opens it. */
import { fileKeyStore } from '../delivery/key-store.ts'
import { createVault } from '../delivery/seal.ts'
import type { Secret } from '../domain/secret.ts'
import { loadSeal } from '../keys.ts'
import { poolFor, type WithDatabase } from './database.ts'

export async function sealTarget(
  config: Pick<WithDatabase, 'databaseUrl' | 'tenant' | 'keysDir' | 'sealKey'>,
  target: string,
  password: Secret,
): Promise<void> {
  const { tenant, keysDir, sealKey } = config
  const keys = fileKeyStore(await loadSeal(keysDir, { sealKey }))
  const pool = poolFor(config, 'procura_cdp')
  try {
    await createVault({ tenant, pool, keys, looks: false }).store(target, password)
  } finally {
    await pool.end()
  }
}
