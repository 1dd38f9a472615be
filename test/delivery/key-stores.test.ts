import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { fileKeyStore, type KeyStore } from '../../src/delivery/key-store.ts'
import { tokenSeal } from '../../src/delivery/token-seal.ts'
import { Secret } from '../../src/domain/secret.ts'
import { readSealUri } from '../../src/pkcs11/uri.ts'
import { usingToken } from '../../src/pkcs11/using.ts'
import { aSoftHsm, PIN, whyNoSoftHsm } from '../parts/softhsm.ts'
import { aKey } from './bench.ts'

interface Store {
  /** As a broker has it that runs. */
  readonly running: KeyStore
  /** Makes a new key; what a broker has that starts after it. */
  readonly rotate: () => Promise<KeyStore>
  readonly secrets: () => readonly string[]
}

function inFile(): Promise<Store> {
  const file = { text: aKey() }
  const read = () => new Secret(file.text)
  return Promise.resolve({
    running: fileKeyStore(read(), () => Promise.resolve(read())),
    rotate() {
      file.text = `${aKey()}\n${file.text}`
      return Promise.resolve(fileKeyStore(read()))
    },
    secrets: () => file.text.split('\n'),
  })
}

const hsm = whyNoSoftHsm === null ? await aSoftHsm() : null
afterAll(() => hsm?.end())
let labels = 0

async function inToken(): Promise<Store> {
  if (hsm === null) throw new Error(whyNoSoftHsm ?? '')
  labels += 1
  const uri = readSealUri(hsm.uri(`seal-${String(labels)}`))
  const pin = () => Promise.resolve(new Secret(readFileSync(hsm.pinFile, 'utf8').trim()))
  const store = () => tokenSeal(usingToken({ uri, pin }), uri.object)
  await store().rotate(new Date())
  return {
    running: store(),
    async rotate() {
      await store().rotate(new Date())
      return store()
    },
    secrets: () => [PIN],
  }
}

const why = whyNoSoftHsm === null ? '' : `, not run: ${whyNoSoftHsm}`
const at = (version: string) => Buffer.from(`["main","orders","wrapped_key","${version}"]`)

describe.each([
  { name: 'a file', aStore: inFile, isHere: true },
  { name: `a token${why}`, aStore: inToken, isHere: hsm !== null },
])('keys in $name', ({ aStore, isHere }) => {
  const holds = it.skipIf(!isHere)

  holds('unwrap what they wrapped, which never looks the same', async () => {
    const { running } = await aStore()
    for (const plain of [randomBytes(32), Buffer.from('x'), randomBytes(4000)]) {
      const [one, other] = [await running.wrap(plain, at), await running.wrap(plain, at)]
      expect(one.version).toBe(await running.current())
      expect(one.octets.equals(other.octets)).toBe(false)
      // One octet is found by chance.
      if (plain.length > 1) expect(one.octets.includes(plain)).toBe(false)
      expect(await running.unwrap(one, at)).toEqual(plain)
      expect(await running.unwrap(other, at)).toEqual(plain)
    }
  })

  holds('refuse what was altered in any of its parts, or cut short', async () => {
    const { running } = await aStore()
    const plain = randomBytes(32)
    const { version, octets } = await running.wrap(plain, at)
    const { length } = octets
    const others: Buffer[] = [0, 11, 12, 43, 44, length - 1].map((place) => {
      const altered = Buffer.from(octets)
      altered.writeUInt8(octets.readUInt8(place) ^ 1, place)
      return altered
    })
    for (const short of [0, 1, 12, 28, length - 1]) others.push(octets.subarray(0, short))
    for (const other of [...others, Buffer.concat([octets, Buffer.of(0)])]) {
      const opened = running.unwrap({ version, octets: other }, at)
      await expect(opened).rejects.not.toMatchObject({ code: 'unavailable' })
    }
    expect(await running.unwrap({ version, octets }, at)).toEqual(plain)
  })

  holds('refuse what was bound to another place, or is said to be of another version', async () => {
    const { running, rotate } = await aStore()
    const wrapped = await running.wrap(randomBytes(32), at)
    const elsewhere = (version: string) => Buffer.from(`${at(version).toString()} `)
    for (const bound of [elsewhere, () => Buffer.alloc(0)]) {
      await expect(running.unwrap(wrapped, bound)).rejects.toThrow(/authenticate/)
    }
    const version = await (await rotate()).current()
    await expect(running.unwrap({ ...wrapped, version }, at)).rejects.toThrow(/authenticate/)
  })

  holds('are unavailable where there is none of that version', async () => {
    const { running } = await aStore()
    const { octets } = await running.wrap(randomBytes(32), at)
    for (const version of ['', 'of-nobody', `${await running.current()}0`]) {
      await expect(running.unwrap({ version, octets }, at)).rejects.toMatchObject({
        ...{ code: 'unavailable', shown: { evaluation: { unavailableInput: 'keys' } } },
      })
    }
  })

  holds('wrap with the newest, and all of them unwrap, also where a broker runs on', async () => {
    const { running, rotate } = await aStore()
    const plain = randomBytes(32)
    const before = await running.wrap(plain, at)
    const first = await rotate()
    const [between, later] = [await first.wrap(plain, at), await rotate()]
    const after = await later.wrap(plain, at)
    const versions = [before, between, after].map(({ version }) => version)
    expect(new Set(versions).size).toBe(3)
    expect(await later.current()).toBe(after.version)
    for (const wrapped of [before, between, after]) {
      for (const store of [running, later]) expect(await store.unwrap(wrapped, at)).toEqual(plain)
    }
  })

  holds('serve many at once', async () => {
    const { running } = await aStore()
    const plains = Array.from({ length: 60 }, () => randomBytes(32))
    const wrapped = await Promise.all(plains.map((plain) => running.wrap(plain, at)))
    const opened = await Promise.all(wrapped.map((it) => running.unwrap(it, at)))
    expect(opened).toEqual(plains)
  })

  holds('are not printed, nor is what opens them', async () => {
    const { running, rotate, secrets } = await aStore()
    const wrapped = await (await rotate()).wrap(randomBytes(32), at)
    const error = await running.unwrap(wrapped, () => Buffer.of(1)).catch((it: unknown) => it)
    const printed = inspect([running, wrapped.version, error], { depth: 9, showHidden: true })
    for (const secret of secrets()) expect(printed).not.toContain(secret)
  })
})
