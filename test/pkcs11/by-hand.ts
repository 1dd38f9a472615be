/** A token as somebody else has it who knows the PIN: pairs made as they like, and what the broker never calls. */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { type Attribute, mechanism, readUlong, template, ulong } from '../../src/pkcs11/layout.ts'
import { loadModule, type Module } from '../../src/pkcs11/module.ts'
import { CKA, foundIn, NO, toldOf, YES } from '../../src/pkcs11/objects.ts'
import { publicHalf } from '../../src/pkcs11/pairs.ts'
import type { Pair } from '../../src/pkcs11/signers.ts'
import { SESSION, sessionAt, slotOf } from '../../src/pkcs11/slot.ts'
import { keyUri, readKeyUri, readSignerUri } from '../../src/pkcs11/uri.ts'
import type { SoftHsm } from '../parts/softhsm.ts'

const P256 = Buffer.from('06082a8648ce3d030107', 'hex')
const [PRIVATE_KEY, EC_PAIR_GEN] = [3, 0x1040]

export interface ByHand {
  readonly module: Module
  readonly slot: bigint
  readonly session: bigint
  readonly library: string
}

export async function byHand({ library, signer }: SoftHsm): Promise<ByHand> {
  const module = await loadModule(library)
  const slot = await slotOf(module, readSignerUri(signer))
  return { module, slot, session: await sessionAt(module, slot, SESSION.writing), library }
}

/** A pair under this label, and an id of its own. @param flags of the private half, instead of ours */
export async function planted(
  { module, session }: ByHand,
  label: string,
  flags: readonly Attribute[],
): Promise<Pair> {
  const id = Buffer.from(randomUUID())
  const named = [
    [CKA.token, YES],
    [CKA.label, Buffer.from(label)],
    [CKA.id, id],
  ] as const
  const own = new Map<number, Buffer>([
    ...named,
    ...[CKA.private, CKA.sensitive, CKA.sign].map((it) => [it, YES] as const),
    [CKA.extractable, NO],
    ...flags,
  ])
  const open = template([[CKA.ecParams, P256], [CKA.verify, YES], ...named], module.addressOf)
  const hidden = template([...own], module.addressOf)
  const halves = [open.whole, open.count, hidden.whole, hidden.count] as const
  const [object, other] = [ulong(), ulong()]
  await module.call('C_GenerateKeyPair', session, mechanism(EC_PAIR_GEN), ...halves, object, other)
  const room = [[CKA.ecPoint, Buffer.alloc(67)]] as const
  const [point] = (await toldOf(module, { session, object: readUlong(object) }, room)) ?? []
  return { uri: keyUri(label, id), jwk: publicHalf(point ?? NO) }
}

/** What its private half is known by in this session. */
export async function privateHalf({ module, session }: ByHand, { uri }: Pair): Promise<bigint> {
  const { id } = readKeyUri(uri)
  const [found = 0n] = await foundIn(module, session, [
    [CKA.class, ulong(PRIVATE_KEY)],
    [CKA.id, id ?? NO],
  ])
  return found
}

/** At once, and what the broker never calls too: SoftHSM has each by its name. @returns its `CKR_…` */
export function run(library: string, name: string, ...given: readonly (bigint | Buffer)[]): number {
  const koffi = createRequire(import.meta.url)('koffi') as Foreign
  const types = given.map((it) => (typeof it === 'bigint' ? 'unsigned long' : 'void *'))
  return koffi.load(library).func(name, 'unsigned long', types)(...given)
}

interface Foreign {
  load(path: string): {
    func(
      name: string,
      result: string,
      types: readonly string[],
    ): (...given: readonly (bigint | Buffer)[]) => number
  }
}
