/** Ends every session of a guarded role at once, as whoever the broker guards it as. */
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { brakeRole } from '../delivery/connectors/aws-sts/brake.ts'
import { Settings } from '../delivery/connectors/aws-sts/settings.ts'
import { createVault } from '../delivery/seal.ts'
import { readSet } from '../key-files.ts'
import { prove } from '../key-renewal.ts'
import { readKeyFile } from '../keys.ts'
import { openSealStore, type SealPlace } from '../seal-store.ts'
import { orReason, tokenOf } from '../token.ts'
import { poolFor } from './database.ts'
import { CommandError, EXIT } from './exit.ts'

type Where = Pick<Config, 'databaseUrl' | 'tenant' | 'issuer' | 'signerToken'> & SealPlace
interface Braked {
  readonly name: string
  readonly settings: object
}

/**
 * In an emergency half of it may be gone: with a stored key nothing is read but that, without one nothing
 * but the keys that sign.
 *
 * @returns what is older than this can do nothing any more
 */
export async function brakeTarget(config: Where, target: Braked): Promise<Date> {
  const settings = Settings.parse(target.settings)
  const at = { name: target.name, settings, lease: null }
  const clock = () => new Date()
  if (settings.credentials === 'web_identity') {
    const secrets = { use: () => Promise.reject(new Error('nothing is stored')) }
    return await brakeRole({ at, clock, secrets, identity: await identityOf(config, clock()) })
  }
  const { databaseUrl, tenant } = config
  if (databaseUrl === null) throw new CommandError('this needs DATABASE_URL', EXIT.usage)
  const keys = await openSealStore(config)
  const pool = poolFor({ databaseUrl }, 'procura_reaper')
  try {
    const secrets = createVault({ tenant, pool, keys, looks: true })
    return await brakeRole({ at, clock, secrets, identity: null })
  } finally {
    await pool.end()
  }
}

async function identityOf(config: Where, now: Date) {
  const { issuer, keysDir } = config
  if (issuer === null) throw new CommandError('this needs PROCURA_ISSUER', EXIT.usage)
  const text = await readKeyFile(join(keysDir, 'credentials.json'), () => undefined)
  const keys = readSet(text, 'credentials', now, tokenOf(config)?.signers)
  // One that is still to come does not keep anybody from braking.
  await orReason(prove({ credentials: [keys[0]] }))
  return { issuer, keys }
}
