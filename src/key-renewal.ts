/** Keys that are changed in the folder while a broker runs. */
import type { PublicKey, SigningKey } from './domain/jws.ts'
import { type SetName, SETS } from './key-files.ts'

type Held = PublicKey & Pick<SigningKey, 'inToken'>
export type HeldSets = Readonly<Partial<Record<SetName, readonly Held[]>>>
export type Renew = (now: Date) => Promise<void>

const NAMES = Object.keys(SETS) as SetName[]

/**
 * Reads the folder again, and puts what it says into the sets that are held, all in one turn: whoever
 * was handed a set signs with the key that signs now. What cannot be read changes nothing. Where a key
 * in a token does not sign what it should, the one before goes on, if the file still has it; what was
 * taken out is out, and what was put in is published, all the same.
 *
 * @param read the sets, with the one first that signs at that moment
 * @returns what throws as `read` does, and `unavailable` `keys`
 */
export function renewing(held: HeldSets, read: (now: Date) => Promise<HeldSets>): Renew {
  return async (now) => {
    const found = await read(now)
    const signing = new Map<SetName, readonly Held[] | undefined>()
    for (const name of NAMES) {
      const isProven = await tried(found[name]?.[0]).then(
        () => true,
        () => false,
      )
      signing.set(name, isProven ? found[name] : goingOn(held[name], found[name]))
    }
    for (const name of NAMES) replace(held[name], signing.get(name))
    // Told of, also where it is only to come.
    await prove(found)
  }
}

const tried = async (key: Held | undefined) => await key?.inToken?.prove()

/** What is found, with the key first that signs here, if it is among it. */
function goingOn(held: readonly Held[] | undefined, found: readonly Held[] | undefined) {
  const before = found?.find(({ kid }) => kid === held?.[0]?.kid)
  if (before === undefined) return found
  return [before, ...(found ?? []).filter((key) => key !== before)]
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
