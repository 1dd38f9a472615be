/** Puts what is stored under the newest seal: as the owner, for no role that serves may read it all. */
import type { Config } from '../config.ts'
import { fileKeyStore } from '../delivery/key-store.ts'
import { rewrapSecrets } from '../delivery/rewrap.ts'
import { loadSeal } from '../keys.ts'
import { type Rewrapped, rewrapPayloads } from '../ledger/rewrap.ts'
import { createSealer } from '../ledger/sealed.ts'
import { poolFor, type WithDatabase } from './database.ts'

type Asked = Pick<WithDatabase, 'databaseUrl' | 'tenant' | 'keysDir' | 'sealKey' | 'role'>

export interface Kept {
  /** Secrets of targets; `null`: those are the other side's. */
  readonly targets: number | null
  /** What identifies people. */
  readonly people: Rewrapped | null
}

/** How many were wrapped anew. May be killed, and run again. */
export async function rewrap(config: Asked, progress: (done: number) => void): Promise<Kept> {
  const { tenant, keysDir, sealKey, role } = config
  const seal = await loadSeal(keysDir, { sealKey })
  const pool = poolFor(config, 'procura_owner')
  const at = { tenant, pool, progress }
  const has = (side: Config['role']) => role === 'all' || role === side
  try {
    return {
      targets: has('cdp') ? await rewrapSecrets({ ...at, keys: fileKeyStore(seal) }) : null,
      people: has('pdp') ? await rewrapPayloads({ ...at, sealer: createSealer(seal) }) : null,
    }
  } finally {
    await pool.end()
  }
}
