/** Keys that are changed in the folder while a broker runs. */
import type { PublicKey, SigningKey } from './domain/jws.ts'
import { type SetName, SETS } from './key-files.ts'

type Held = PublicKey & Pick<SigningKey, 'inToken'>
export type HeldSets = Readonly<Partial<Record<SetName, readonly Held[]>>>
export type Renew = (now: Date) => Promise<void>

const NAMES = Object.keys(SETS) as SetName[]

/**
 * Reads the folder again, and puts what it says into the sets that are held: whoever was handed a set
 * signs with the key that signs now. What cannot be read changes nothing. What was taken out is out at
 * once, and what was put in is published; but a new key in a token signs when it has proven itself, and
 * till then the one before does, if the file still has it.
 *
 * @param read the sets, with the one first that signs at that moment
 * @returns what throws as `read` does, and `unavailable` `keys`
 */
export function renewing(held: HeldSets, read: (now: Date) => Promise<HeldSets>): Renew {
  return async (now) => {
    const found = await read(now)
    for (const name of NAMES) replace(held[name], goingOn(held[name], found[name]))
    // Side by side: where the token hangs, each of them takes as long as it may.
    const proofs = NAMES.map(async (name) => {
      const [first, ...others] = found[name] ?? []
      await first?.inToken?.prove()
      replace(held[name], found[name])
      for (const key of others) await key.inToken?.prove()
    })
    for (const proof of await Promise.allSettled(proofs)) {
      if (proof.status === 'rejected') throw proof.reason
    }
  }
}

/** What is found, with the key first that signs here, as long as it is among it. */
function goingOn(held: readonly Held[] | undefined, found: readonly Held[] | undefined) {
  const [before] = held ?? []
  const [first, ...others] = found ?? []
  const isNew = first?.inToken !== undefined && first.kid !== before?.kid
  if (!isNew || before === undefined || others.every(({ kid }) => kid !== before.kid)) return found
  return [before, first, ...others.filter(({ kid }) => kid !== before.kid)]
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
