/** What is kept in a token: found by what it is, and judged by what the token says of it. */
import { readUlong, template, type Attribute, ulong } from './layout.ts'
import { type Module, TokenFault } from './module.ts'

// prettier-ignore
export const CKA = {
  class: 0, token: 1, private: 2, label: 3, keyType: 0x100, id: 0x102, sensitive: 0x103, encrypt: 0x104,
  decrypt: 0x105, wrap: 0x106, unwrap: 0x107, sign: 0x108, verify: 0x10a, derive: 0x10c, length: 0x161,
  extractable: 0x162, local: 0x163, neverExtractable: 0x164, alwaysSensitive: 0x165, ecParams: 0x180,
  ecPoint: 0x181,
} as const
export const [YES, NO] = [Buffer.of(1), Buffer.of(0)]
export const withValue = (value: Buffer) => (type: number) => [type, value] as const

/** What a key has to be, and what it is where it is not so. */
const HAS_TO_BE = [
  [CKA.local, 1, 'was not made in the token, and may be known to somebody'],
  [CKA.private, 1, 'may be used without the PIN'],
  [CKA.sensitive, 1, 'can be taken out of the token'],
  [CKA.extractable, 0, 'can be taken out of the token'],
  [CKA.alwaysSensitive, 1, 'could once be taken out of the token'],
  [CKA.neverExtractable, 1, 'could once be taken out of the token'],
] as const
/** To be asked for. */
export const FLAGS: readonly Attribute[] = HAS_TO_BE.map(([type]) => [type, Buffer.alloc(1)])

/** @param flags as the token answered to `FLAGS`; why the key is not to be relied on, or `null` */
export function flawOf(flags: readonly Buffer[]): string | null {
  const [, , flaw = null] = HAS_TO_BE.find(([, value], at) => flags[at]?.[0] !== value) ?? []
  return flaw
}

const AT_ONCE = 16

/** What each that is so is known by in this session. @throws TokenFault */
export async function foundIn(
  module: Module,
  session: bigint,
  wanted: readonly Attribute[],
): Promise<bigint[]> {
  const { whole, count } = template(wanted, module.addressOf)
  await module.call('C_FindObjectsInit', session, whole, count)
  const found: bigint[] = []
  for (;;) {
    const [some, number] = [Buffer.alloc(AT_ONCE * 8), ulong()]
    await module.call('C_FindObjects', session, some, AT_ONCE, number)
    const length = Number(readUlong(number))
    if (length === 0) break
    found.push(...Array.from({ length }, (_, n) => readUlong(some, n)))
  }
  await module.call('C_FindObjectsFinal', session)
  return found
}

/** `CKR_…` that say of one object that it does not tell what was asked. */
const OF_THE_OBJECT = [0x11, 0x12, 0x150]

/** @returns `null` where it does not tell all of it. @throws TokenFault */
export async function toldOf(
  module: Module,
  { session, object }: { readonly session: bigint; readonly object: bigint },
  room: readonly Attribute[],
): Promise<Buffer[] | null> {
  const asked = template(room, module.addressOf)
  try {
    await module.call('C_GetAttributeValue', session, object, asked.whole, asked.count)
    return asked.answers()
  } catch (error) {
    if (error instanceof TokenFault && OF_THE_OBJECT.includes(error.code)) return null
    throw error
  }
}
