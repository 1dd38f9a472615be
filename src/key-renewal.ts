/** Keys that are changed in the folder while a broker runs. */
import type { PublicKey, PublicKeySet } from './domain/jws.ts'
import { type SetName, SETS } from './key-files.ts'

export type HeldSets = Readonly<Partial<Record<SetName, PublicKeySet>>>
export type Renew = (now: Date) => Promise<void>

/**
 * Reads the folder again, and puts what it says into the sets that are held, all in one turn: whoever
 * was handed a set signs with the key that signs now. What cannot be read changes nothing.
 *
 * @param read the sets, with the one first that signs at that moment
 * @returns what throws as `read` does
 */
export function renewing(held: HeldSets, read: (now: Date) => Promise<HeldSets>): Renew {
  return async (now) => {
    const found = await read(now)
    for (const name of Object.keys(SETS) as SetName[]) replace(held[name], found[name])
  }
}

/** A set is read-only to whoever uses it; here is the one place that is not so. */
function replace(held: PublicKeySet | undefined, found: PublicKeySet | undefined): void {
  if (held === undefined || found === undefined) return
  const keys = held as readonly PublicKey[] as PublicKey[]
  keys.splice(0, keys.length, ...found)
}
