/** Keys that are changed in the folder while a broker runs. */
import type { PublicKey, SigningKey } from './domain/jws.ts'
import { type SetName, SETS } from './key-files.ts'

type Held = PublicKey & Pick<SigningKey, 'inToken'>
export type HeldSets = Readonly<Partial<Record<SetName, readonly Held[]>>>
export type Renew = (now: Date) => Promise<void>

const NAMES = Object.keys(SETS) as SetName[]

/**
 * Reads the folder again, and puts what it says into the sets that are held, all in one turn: whoever
 * was handed a set signs with the key that signs now. What cannot be read changes nothing, nor where a
 * key in a token is to sign now and does not sign what it should.
 *
 * @param read the sets, with the one first that signs at that moment
 * @returns what throws as `read` does, and `unavailable` `keys`
 */
export function renewing(held: HeldSets, read: (now: Date) => Promise<HeldSets>): Renew {
  return async (now) => {
    const found = await read(now)
    for (const name of NAMES) await found[name]?.[0]?.inToken?.prove()
    for (const name of NAMES) replace(held[name], found[name])
    // One that is to come has time to appear; till then it is published, and told of.
    await prove(found)
  }
}

/** Every key in a token that signs or will. @throws BrokerError `unavailable` `keys` */
export async function prove(sets: HeldSets): Promise<void> {
  for (const key of NAMES.flatMap((name) => sets[name] ?? [])) {
    await key.inToken?.prove()
  }
}

/** Those that sign now. @throws BrokerError `unavailable` `keys` where one is in a token that is away */
export async function lookAt(sets: HeldSets): Promise<void> {
  for (const name of NAMES) {
    await sets[name]?.[0]?.inToken?.look()
  }
}

/** A set is read-only to whoever uses it; here is the one place that is not so. */
function replace(held: readonly Held[] | undefined, found: readonly Held[] | undefined): void {
  if (held === undefined || found === undefined) return
  const keys = held as Held[]
  keys.splice(0, keys.length, ...found)
}
