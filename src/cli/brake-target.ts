/** Ends every session of a guarded role at once, with the access key that the broker guards it with. */
import { brakeRole } from '../delivery/connectors/aws-sts/brake.ts'
import { Settings } from '../delivery/connectors/aws-sts/settings.ts'
import { fileKeyStore } from '../delivery/key-store.ts'
import { createVault } from '../delivery/seal.ts'
import { loadSeal } from '../keys.ts'
import { poolFor, type WithDatabase } from './database.ts'

/** @returns what is older than this can do nothing any more */
export async function brakeTarget(
  config: Pick<WithDatabase, 'databaseUrl' | 'tenant' | 'keysDir' | 'sealKey'>,
  target: { readonly name: string; readonly settings: object },
): Promise<Date> {
  const { tenant, keysDir, sealKey } = config
  const keys = fileKeyStore(await loadSeal(keysDir, { sealKey }))
  const pool = poolFor(config, 'procura_reaper')
  try {
    const secrets = createVault({ tenant, pool, keys, looks: true })
    const at = { name: target.name, settings: Settings.parse(target.settings), lease: null }
    return await brakeRole({ secrets, at }, new Date())
  } finally {
    await pool.end()
  }
}
