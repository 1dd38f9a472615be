/** Puts the password of a target where only the part that mints opens it. */
import { createVault } from '../delivery/seal.ts'
import type { Secret } from '../domain/secret.ts'
import { loadKeys } from '../keys.ts'
import { poolFor, type WithDatabase } from './database.ts'

export async function sealTarget(
  config: Pick<WithDatabase, 'databaseUrl' | 'tenant' | 'keysDir' | 'sealKey'>,
  target: string,
  password: Secret,
): Promise<void> {
  const { tenant, keysDir, sealKey } = config
  const { seal: key } = await loadKeys(keysDir, { sealKey })
  const pool = poolFor(config, 'procura_cdp')
  try {
    await createVault({ tenant, pool, key }).store(target, password)
  } finally {
    await pool.end()
  }
}
