/** Finds the one token that a URI names, and whether its PIN may be tried. */
import { readTokenInfo, readUlong, tokenInfo, ulong } from './layout.ts'
import { type Module, TokenFault, TokenProblem } from './module.ts'
import { NAMES, type TokenUri } from './uri.ts'

const SLOTS_MAX = 64
const FLAG = { finalTry: 0x20000, locked: 0x40000 }
/** All of them serial, as the standard wants it. */
export const SESSION = { reading: 4, writing: 6 }

/** @throws TokenProblem unless exactly one fits, and has tries left for its PIN */
export async function slotOf(module: Module, { names }: TokenUri): Promise<bigint> {
  const fitting: { readonly slot: bigint; readonly flags: number }[] = []
  for (const slot of await slotsOf(module)) {
    const { flags, ...found } = await infoOf(module, slot)
    if (NAMES.every((name) => (names[name] ?? found[name]) === found[name]))
      fitting.push({ slot, flags })
  }
  const [one, another] = fitting
  if (one === undefined) throw new TokenProblem('the token that is named is not there')
  if (another !== undefined) throw new TokenProblem('two tokens fit what is named: give the serial')
  refuseLastTry(one.flags)
  return one.slot
}

/** Asked with no room for the answer, the library looks anew for what was put in or taken out. */
async function slotsOf(module: Module): Promise<bigint[]> {
  await module.call('C_GetSlotList', 1, null, ulong())
  const [slots, count] = [Buffer.alloc(SLOTS_MAX * 8), ulong(SLOTS_MAX)]
  await module.call('C_GetSlotList', 1, slots, count)
  return Array.from({ length: Number(readUlong(count)) }, (_, n) => readUlong(slots, n))
}

async function infoOf(module: Module, slot: bigint) {
  const info = tokenInfo()
  await module.call('C_GetTokenInfo', slot, info).catch((error: unknown) => {
    // One that cannot say what it is is like none, whatever the others are.
    if (!(error instanceof TokenFault)) throw error
    info.fill(0)
  })
  return readTokenInfo(info)
}

/** A last try is for a person, and not for a program that is started again and again. */
export function refuseLastTry(flags: number): void {
  if ((flags & FLAG.locked) !== 0) throw new TokenProblem('the PIN of the token is locked')
  if ((flags & FLAG.finalTry) === 0) return
  throw new TokenProblem('the token has one try left for its PIN: log in to it by hand first')
}

export async function sessionAt(module: Module, slot: bigint, flags: number): Promise<bigint> {
  const session = ulong()
  await module.call('C_OpenSession', slot, flags, null, null, session)
  return readUlong(session)
}
