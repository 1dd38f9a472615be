/** The admin credentials of targets, sealed at rest and open only while one operation needs them. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { Secret } from '../domain/secret.ts'
import { openedRow, sealedRow, type SealedRow } from './envelope.ts'
import type { KeyStore } from './key-store.ts'

export interface Secrets {
  /**
   * Opens the secret of a target for the time of `work`, and keeps nothing of it.
   *
   * @param lease the name of the lease that it is needed for; `null` to look for what no lease names
   * @throws NotAskedFor when nothing on record says that it is needed
   */
  use<T>(target: string, work: (secret: Secret) => Promise<T>, lease: string | null): Promise<T>
}

export interface Vault extends Secrets {
  /** Seals the secret of a target, in place of the one there was. */
  store(target: string, secret: Secret): Promise<void>
}

export interface VaultOptions {
  readonly tenant: string
  readonly pool: Pick<Pool, 'query'>
  readonly keys: KeyStore
  /** The sweeper's, which also ends what no lease names. The database lets no other. */
  readonly looks: boolean
}

/** Nothing was allowed that would need this secret: the database does not give it out. */
export class NotAskedFor extends Error {
  override readonly name = 'NotAskedFor'
}

const COLUMNS = 'key_version, wrapped_key, nonce, ciphertext'

export function createVault({ tenant, pool, keys, looks }: VaultOptions): Vault {
  async function read(target: string, lease: string | null): Promise<SealedRow> {
    const row = (await forLease(target, lease)) ?? (looks ? await toLook(target) : undefined)
    if (row !== undefined) return row
    const [stored] = await ask(pool, {
      text: `select target from procura.connector_secret where tenant = $1 and target = $2`,
      values: [tenant, target],
    })
    if (stored === undefined) throw new Error(`No secret is stored for the target ${target}`)
    throw new NotAskedFor(`The secret of ${target} is not needed by anything on record`)
  }

  async function forLease(target: string, lease: string | null): Promise<SealedRow | undefined> {
    if (lease === null) return undefined
    const [row] = await ask<SealedRow>(pool, {
      name: 'connector_secret_read',
      text: `select ${COLUMNS} from procura.sealed_secret($1, $2, $3)`,
      values: [tenant, target, lease],
    })
    return row
  }

  async function toLook(target: string): Promise<SealedRow | undefined> {
    const [row] = await ask<SealedRow>(pool, {
      name: 'connector_secret_look',
      text: `select ${COLUMNS} from procura.sealed_secret_to_look($1, $2)`,
      values: [tenant, target],
    })
    return row
  }

  return {
    async store(target, secret) {
      const plain = Buffer.from(secret.reveal())
      const row = await sealedRow(keys, { tenant, target }, plain)
      plain.fill(0)
      // By its parameters, not by `excluded`: that would be read, and nobody here may.
      await ask(pool, {
        text: `insert into procura.connector_secret (tenant, target, ${COLUMNS})
               values ($1, $2, $3, $4, $5, $6)
               on conflict (tenant, target) do update
               set key_version = $3, wrapped_key = $4, nonce = $5, ciphertext = $6,
                   updated_at = clock_timestamp()`,
        values: [tenant, target, row.key_version, row.wrapped_key, row.nonce, row.ciphertext],
      })
    },
    async use(target, work, lease) {
      const plain = await openedRow(keys, { tenant, target }, await read(target, lease))
      try {
        // The string that comes of it cannot be wiped; it is let go with this call.
        return await work(new Secret(plain.toString('utf8')))
      } finally {
        plain.fill(0)
      }
    },
  }
}
