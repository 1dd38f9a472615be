/** The keys of a seal in its token: each is a version, known by its id, and none can be taken out. */
import { randomBytes } from 'node:crypto'
import { mechanism, readUlong, template, ulong } from './layout.ts'
import { type Module, TokenProblem } from './module.ts'
import { CKA, FLAGS, flawOf, foundIn, NO, toldOf, withValue, YES } from './objects.ts'

const [SECRET_KEY, AES, AES_KEY_GEN] = [4, 0x1f, 0x1080]
const [KEY_OCTETS, ID_OCTETS] = [32, 12]
const LAST_ID = (1n << 96n) - 1n
const KIND = [
  [CKA.class, ulong(SECRET_KEY)],
  [CKA.keyType, ulong(AES)],
] as const
const PREFIX = 'token-'
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
  const wanted = [...KIND, [CKA.token, YES], [CKA.label, Buffer.from(label)]] as const
  for (const key of await foundIn(module, session, wanted)) {
    const it = judged(await toldOf(module, { session, object: key }, ROOM))
    if (it.flaw === null) found.push([versionOf(it.id), key])
    else trouble = `a key ${label} ${it.flaw}: it is no seal, remove it (${nameOf(it.id)})`
  }
  return {
    byVersion: new Map(found.toSorted(([one], [other]) => (one < other ? -1 : 1))),
    trouble,
  }
}

const ROOM = [[CKA.id, Buffer.alloc(ID_OCTETS)], [CKA.length, ulong()], ...FLAGS] as const

function judged(answers: readonly Buffer[] | null) {
  const [id = Buffer.alloc(0), length, ...flags] = answers ?? []
  if (id.length !== ID_OCTETS || length?.length !== 8 || Number(readUlong(length)) !== KEY_OCTETS)
    return { id, flaw: NOT_OURS }
  return { id, flaw: flawOf(flags) }
}

const versionOf = (id: Buffer) => `${PREFIX}${id.toString('hex')}`
const nameOf = (id: Buffer) => (id.length === 0 ? 'no CKA_ID' : `CKA_ID ${id.toString('hex')}`)

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
