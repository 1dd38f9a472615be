/** Keys that somebody else puts under the label of a seal: none of them is ever used. */
import { randomBytes } from 'node:crypto'
import { afterAll, describe, expect, it } from 'vitest'
import { tokenSeal } from '../../src/delivery/token-seal.ts'
import { keysAt } from '../../src/pkcs11/keys.ts'
import { type Attribute, mechanism, readUlong, template, ulong } from '../../src/pkcs11/layout.ts'
import { loadModule, type Module } from '../../src/pkcs11/module.ts'
import { SESSION, sessionAt, slotOf } from '../../src/pkcs11/slot.ts'
import { readSealUri } from '../../src/pkcs11/uri.ts'
import { usingToken } from '../../src/pkcs11/using.ts'
import { Secret } from '../../src/domain/secret.ts'
import { aSoftHsm, PIN, type SoftHsm, whyNoSoftHsm } from '../parts/softhsm.ts'
import { run as runAt } from '../pkcs11/by-hand.ts'

const why = whyNoSoftHsm === null ? '' : `, not run: ${whyNoSoftHsm}`
const at = (version: string) => Buffer.from(version)
const [YES, NO] = [Buffer.of(1), Buffer.of(0)]
// prettier-ignore
const CKA = {
  class: 0, token: 1, private: 2, label: 3, value: 0x11, keyType: 0x100, id: 0x102, sensitive: 0x103,
  encrypt: 0x104, decrypt: 0x105, length: 0x161, extractable: 0x162,
}
/** As the newest there could be. */
const LIKE_OURS: readonly Attribute[] = [
  ...([
    [CKA.class, ulong(4)],
    [CKA.keyType, ulong(0x1f)],
    [CKA.id, Buffer.alloc(12, 0xff)],
  ] as const),
  ...[CKA.token, CKA.private, CKA.sensitive, CKA.encrypt, CKA.decrypt].map(
    (type) => [type, YES] as const,
  ),
  [CKA.extractable, NO],
]

const hsm = whyNoSoftHsm === null ? await aSoftHsm() : null
afterAll(() => hsm?.end())
const uriOf = (object: string) => readSealUri((hsm as SoftHsm).uri(object))
const aStore = (object: string) =>
  tokenSeal(usingToken({ uri: uriOf(object), pin: () => Promise.resolve(new Secret(PIN)) }), object)

interface ByHand {
  readonly label: string
  readonly module: Module
  readonly session: bigint
}

/** The token as somebody else has it, in a session of their own. */
async function byHand(label: string): Promise<ByHand> {
  const module = await loadModule((hsm as SoftHsm).library)
  const session = await sessionAt(module, await slotOf(module, uriOf(label)), SESSION.writing)
  return { label, module, session }
}

interface Planted {
  readonly born: 'here' | 'outside'
  readonly flags: readonly Attribute[]
  /** Set afterwards. */
  readonly then?: readonly Attribute[]
}

/** A key under the label of a seal, after all its versions, by whoever may write in the token. */
function plant({ label, module, session }: ByHand, { born, flags, then = [] }: Planted): void {
  const wanted = new Map<number, Buffer>([
    ...LIKE_OURS,
    [CKA.label, Buffer.from(label)],
    ...(born === 'here' ? ([[CKA.length, ulong(32)]] as const) : []),
    ...flags,
  ])
  const { whole, count } = template([...wanted], module.addressOf)
  const [key, how] = [ulong(), mechanism(0x1080)]
  if (born === 'here') run('C_GenerateKey', session, how, whole, BigInt(count), key)
  else run('C_CreateObject', session, whole, BigInt(count), key)
  const changed = template(then, module.addressOf)
  if (then.length > 0)
    run('C_SetAttributeValue', session, readUlong(key), changed.whole, BigInt(changed.count))
}

function run(name: string, ...given: readonly (bigint | Buffer)[]): void {
  expect(runAt((hsm as SoftHsm).library, name, ...given)).toBe(0)
}

describe.skipIf(hsm === null)(`a seal in a token${why}`, () => {
  it.each([
    {
      ...{ what: 'that could be taken out', told: 'can be taken out', born: 'here' as const },
      flags: [[CKA.sensitive, YES] as const, [CKA.extractable, YES] as const],
    },
    {
      ...{ what: 'that serves without the PIN', told: 'without the PIN', born: 'here' as const },
      flags: [[CKA.private, NO] as const],
    },
    {
      ...{
        what: 'that was brought in',
        told: 'may be known to somebody',
        born: 'outside' as const,
      },
      flags: [[CKA.value, randomBytes(32)] as const],
    },
    {
      ...{ what: 'that once could be read', told: 'could once be', born: 'here' as const },
      flags: [[CKA.sensitive, NO] as const],
      then: [[CKA.sensitive, YES] as const],
    },
    {
      ...{ what: 'that once could be taken out', told: 'could once be', born: 'here' as const },
      flags: [[CKA.extractable, YES] as const],
      then: [[CKA.extractable, NO] as const],
    },
    {
      ...{ what: 'of no version', told: 'was not made by', born: 'here' as const },
      flags: [[CKA.id, randomBytes(40)] as const],
    },
  ])('takes a key $what for none of its own, and says so', async ({ what, told, ...planted }) => {
    const label = what.replaceAll(' ', '-')
    const store = aStore(label)
    const version = await store.rotate(new Date())
    const plain = randomBytes(32)
    const wrapped = await store.wrap(plain, at)
    plant(await byHand(label), planted)
    for (const other of [store, aStore(label)]) {
      const cause = { name: 'TokenProblem', message: expect.stringContaining(told) as string }
      const asked = [
        () => other.current(),
        () => other.wrap(plain, at),
        () => other.rotate(new Date()),
      ]
      for (const it of asked)
        await expect(it()).rejects.toMatchObject({ code: 'unavailable', cause })
      expect(await other.unwrap(wrapped, at)).toEqual(plain)
    }
    const { module, session } = await byHand(label)
    expect([...(await keysAt(module, session, label)).byVersion.keys()]).toEqual([version])
  })

  it('is not said to be rotated where another key is the newest', async () => {
    const store = aStore('race')
    await store.rotate(new Date())
    const token = await byHand('race')
    class Now extends Date {
      /** Asked when all keys have been looked at, and none is made. */
      override getTime() {
        plant(token, { born: 'here', flags: [] })
        return super.getTime()
      }
    }
    const cause = { message: expect.stringContaining('somebody else makes keys') as string }
    await expect(store.rotate(new Now())).rejects.toMatchObject({ code: 'unavailable', cause })
  })

  it('is not rotated where nothing comes after its newest key', async () => {
    const store = aStore('end')
    await store.rotate(new Date())
    plant(await byHand('end'), { born: 'here', flags: [] })
    const last = await store.current()
    const cause = { message: expect.stringContaining('no version is left') as string }
    await expect(store.rotate(new Date())).rejects.toMatchObject({ code: 'unavailable', cause })
    expect(await store.current()).toBe(last)
  })
})
