/** Calls that are going on, held against what is stopped or frozen meanwhile, by whichever replica. */
import type { Pool } from 'pg'
import { ask } from '../../db/ask.ts'
import type { CredentialId } from '../../domain/ids.ts'
import { STANDS } from '../leases.ts'

const LOOK_MS = 1000
/** Not having been able to look is no leave to go on: streams are cut within five seconds of a stop. */
const UNSEEN_MS = 3000

export interface Live {
  /** Cuts the call when its lease does not stand any more. Call what is returned when it is over. */
  watch(lease: CredentialId, cut: () => void): () => void
}

export interface LiveOptions {
  readonly tenant: string
  readonly pool: Pick<Pool, 'query'>
  readonly trouble?: ((error: unknown) => void) | undefined
}

/** One statement a second for all of them together, and none while there are none. */
export function createLive({ tenant, pool, trouble }: LiveOptions): Live {
  const calls = new Map<CredentialId, () => void>()
  let looking: NodeJS.Timeout | null = null
  let seenAt = 0

  async function look(): Promise<void> {
    const ids = [...calls.keys()]
    try {
      const rows = await ask<{ id: CredentialId }>(pool, {
        name: 'lease_stands',
        text: `select l.id from procura.lease l
               where l.tenant = $1 and l.id = any ($2::text[]) and ${STANDS}`,
        values: [tenant, ids],
      })
      seenAt = performance.now()
      const standing = new Set(rows.map(({ id }) => id))
      cutAll(ids.filter((id) => !standing.has(id)))
    } catch (error) {
      trouble?.(error)
      if (performance.now() - seenAt > UNSEEN_MS) cutAll(ids)
    }
  }

  function cutAll(ids: readonly CredentialId[]): void {
    for (const id of ids) calls.get(id)?.()
  }

  function again(): void {
    const timer = setTimeout(() => {
      look().then(
        () => {
          // Let go of meanwhile: whoever came since is looked after by another.
          if (looking !== timer) return
          looking = null
          if (calls.size > 0) again()
        },
        (error: unknown) => trouble?.(error),
      )
    }, LOOK_MS)
    looking = timer
  }

  return {
    watch(lease, cut) {
      calls.set(lease, cut)
      if (looking === null) {
        seenAt = performance.now()
        again()
      }
      return () => {
        calls.delete(lease)
        if (calls.size > 0 || looking === null) return
        clearTimeout(looking)
        looking = null
      }
    },
  }
}
