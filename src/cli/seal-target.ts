/** Puts the password of a target where only the part that mints opens it. */
import { createVault } from '../delivery/seal.ts'
import type { Secret } from '../domain/secret.ts'
import { openSealStore, type SealPlace } from '../seal-store.ts'
import { poolFor, type WithDatabase } from './database.ts'

export async function sealTarget(
  config: Pick<WithDatabase, 'databaseUrl' | 'tenant'> & SealPlace,
  target: string,
  password: Secret,
): Promise<void> {
  const { tenant } = config
  const keys = await openSealStore(config)
  const pool = poolFor(config, 'procura_cdp')
  try {
    await createVault({ tenant, pool, keys, looks: false }).store(target, password)
  } finally {
    await pool.end()
  }
}
