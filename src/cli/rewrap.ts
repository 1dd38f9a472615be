/** Puts what is stored under the newest seal: as the owner, for no role that serves may read it all. */
import type { Config } from '../config.ts'
import { rewrapSecrets } from '../delivery/rewrap.ts'
import { loadSeal } from '../keys.ts'
import { type Rewrapped, rewrapPayloads } from '../ledger/rewrap.ts'
import { createSealer } from '../ledger/sealed.ts'
import { openSealStore, type SealPlace } from '../seal-store.ts'
import { poolFor, type WithDatabase } from './database.ts'

type Asked = Pick<WithDatabase, 'databaseUrl' | 'tenant' | 'role'> & SealPlace

export interface Kept {
  /** Secrets of targets; `null`: those are the other side's. */
  readonly targets: number | null
  /** What identifies people. */
  readonly people: Rewrapped | null
}

/** How many were wrapped anew. May be killed, and run again. */
export async function rewrap(config: Asked, progress: (done: number) => void): Promise<Kept> {
  const { tenant, keysDir, sealKey, role } = config
  const pool = poolFor(config, 'procura_owner')
  const at = { tenant, pool, progress }
  const has = (side: Config['role']) => role === 'all' || role === side
  const sealer = async () => createSealer(await loadSeal(keysDir, { sealKey }))
  try {
    return {
      targets: has('cdp')
        ? await rewrapSecrets({ ...at, keys: await openSealStore(config) })
        : null,
      people: has('pdp') ? await rewrapPayloads({ ...at, sealer: await sealer() }) : null,
    }
  } finally {
    await pool.end()
  }
}
