/** The keys of a seal in its token: each is a version, known by its id, and none can be taken out. */
import { randomBytes } from 'node:crypto'
import { mechanism, readUlong, template, ulong } from './layout.ts'
import { type Module, TokenFault, TokenProblem } from './module.ts'

// prettier-ignore
const CKA = {
  class: 0, token: 1, private: 2, label: 3, keyType: 0x100, id: 0x102, sensitive: 0x103, encrypt: 0x104,
  decrypt: 0x105, wrap: 0x106, unwrap: 0x107, length: 0x161, extractable: 0x162, local: 0x163,
  neverExtractable: 0x164, alwaysSensitive: 0x165,
}
const [SECRET_KEY, AES, AES_KEY_GEN] = [4, 0x1f, 0x1080]
const [KEY_OCTETS, ID_OCTETS] = [32, 12]
const LAST_ID = (1n << 96n) - 1n
const [YES, NO] = [Buffer.of(1), Buffer.of(0)]
const withValue = (value: Buffer) => (type: number) => [type, value] as const
const KIND = [
  [CKA.class, ulong(SECRET_KEY)],
  [CKA.keyType, ulong(AES)],
] as const
const PREFIX = 'token-'
const AT_ONCE = 16
/** `CKR_…` that say of one object that it does not tell what was asked. */
const OF_THE_OBJECT = [0x11, 0x12, 0x150]
/** What a key has to be, and what it is where it is not so. */
const HAS_TO_BE = [
  [CKA.local, 1, 'was not made in the token, and may be known to somebody'],
  [CKA.private, 1, 'may be used without the PIN'],
  [CKA.sensitive, 1, 'can be taken out of the token'],
  [CKA.extractable, 0, 'can be taken out of the token'],
  [CKA.alwaysSensitive, 1, 'could once be taken out of the token'],
  [CKA.neverExtractable, 1, 'could once be taken out of the token'],
] as const
const NOT_OURS = 'was not made by: procura keys rotate seal'

export interface Keys {
  /** What each is known by in this session, by its version, the newest last. */
  readonly byVersion: ReadonlyMap<string, bigint>
  /** Why nothing may be sealed: another key has the label of the seal. It is never used. */
  readonly trouble: string | null
}

/** Told from a version of `seal.key` by how it begins. */
export const isOfToken = (version: string) => version.startsWith(PREFIX)

/** @throws TokenFault */
export async function keysAt(module: Module, session: bigint, label: string): Promise<Keys> {
  const found: (readonly [string, bigint])[] = []
  let trouble: string | null = null
  for (const key of await handlesOf(module, session, label)) {
    const it = judged(await answersOf(module, session, key))
    if (it.flaw === null) found.push([versionOf(it.id), key])
    else trouble = `a key ${label} ${it.flaw}: it is no seal, remove it (${nameOf(it.id)})`
  }
  return {
    byVersion: new Map(found.toSorted(([one], [other]) => (one < other ? -1 : 1))),
    trouble,
  }
}

/** `null`: it does not tell all of it. */
async function answersOf(module: Module, session: bigint, key: bigint): Promise<Buffer[] | null> {
  const flags = HAS_TO_BE.map(([type]) => [type, Buffer.alloc(1)] as const)
  const room = [[CKA.id, Buffer.alloc(ID_OCTETS)], [CKA.length, ulong()], ...flags] as const
  const asked = template(room, module.addressOf)
  try {
    await module.call('C_GetAttributeValue', session, key, asked.whole, asked.count)
    return asked.answers()
  } catch (error) {
    if (error instanceof TokenFault && OF_THE_OBJECT.includes(error.code)) return null
    throw error
  }
}

function judged(answers: readonly Buffer[] | null) {
  const [id = Buffer.alloc(0), length, ...flags] = answers ?? []
  if (id.length !== ID_OCTETS || length?.length !== 8 || Number(readUlong(length)) !== KEY_OCTETS)
    return { id, flaw: NOT_OURS }
  const [, , flaw = null] = HAS_TO_BE.find(([, value], at) => flags[at]?.[0] !== value) ?? []
  return { id, flaw }
}

const versionOf = (id: Buffer) => `${PREFIX}${id.toString('hex')}`
const nameOf = (id: Buffer) => (id.length === 0 ? 'no CKA_ID' : `CKA_ID ${id.toString('hex')}`)

async function handlesOf(module: Module, session: bigint, label: string): Promise<bigint[]> {
  const wanted = [...KIND, [CKA.token, YES], [CKA.label, Buffer.from(label)]] as const
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

/** Makes a key in the token, which never was anywhere else. @returns its version */
export async function makeKey(
  module: Module,
  session: bigint,
  { label, id }: { readonly label: string; readonly id: Buffer },
): Promise<string> {
  const wanted = [
    ...KIND,
    [CKA.length, ulong(KEY_OCTETS)],
    [CKA.label, Buffer.from(label)],
    [CKA.id, id],
    ...[CKA.token, CKA.private, CKA.sensitive, CKA.encrypt, CKA.decrypt].map(withValue(YES)),
    ...[CKA.extractable, CKA.wrap, CKA.unwrap].map(withValue(NO)),
  ] as const
  const { whole, count } = template(wanted, module.addressOf)
  await module.call('C_GenerateKey', session, mechanism(AES_KEY_GEN), whole, count, ulong())
  return versionOf(id)
}

/**
 * The time in milliseconds and six octets of chance; after the newest there is, whatever the clocks say.
 *
 * @throws TokenProblem when none is left after the newest
 */
export function idAfter(newest: string | undefined, now: Date): Buffer {
  const own = Buffer.concat([Buffer.alloc(6), randomBytes(6)])
  own.writeUIntBE(now.getTime(), 0, 6)
  const last = newest === undefined ? -1n : BigInt(`0x${newest.slice(PREFIX.length)}`)
  const next = BigInt(`0x${own.toString('hex')}`)
  const id = next > last ? next : last + 1n
  if (id > LAST_ID) throw new TokenProblem(`no version is left after ${String(newest)}`)
  return Buffer.from(id.toString(16).padStart(2 * ID_OCTETS, '0'), 'hex')
}
