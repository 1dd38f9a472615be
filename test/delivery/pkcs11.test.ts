import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { tokenSeal } from '../../src/delivery/token-seal.ts'
import { idAfter, keysAt } from '../../src/pkcs11/keys.ts'
import { readTokenInfo, readUlong, template, tokenInfo, ulong } from '../../src/pkcs11/layout.ts'
import { type ForeignFunctions, functionList, loadModule } from '../../src/pkcs11/module.ts'
import { refuseLastTry, SESSION, sessionAt, slotOf } from '../../src/pkcs11/slot.ts'
import { openToken } from '../../src/pkcs11/token.ts'
import { readSealUri } from '../../src/pkcs11/uri.ts'
import { usingToken } from '../../src/pkcs11/using.ts'
import { Secret } from '../../src/domain/secret.ts'
import { aSoftHsm, PIN, type SoftHsm, whyNoSoftHsm } from '../parts/softhsm.ts'

const why = whyNoSoftHsm === null ? '' : `, not run: ${whyNoSoftHsm}`
const at = (version: string) => Buffer.from(version)
const COUNT_LOW = 0x10000
const [VALUE, SENSITIVE_ATTRIBUTE] = [0x11, 0x11]

const hsm = whyNoSoftHsm === null ? await aSoftHsm() : null
afterAll(() => hsm?.end())

function aStore(object: string, callMs?: number, pin?: () => Promise<Secret>) {
  const token = hsm as SoftHsm
  const fromFile = () => Promise.resolve(new Secret(readFileSync(token.pinFile, 'utf8').trim()))
  const using = usingToken({
    ...{ uri: readSealUri(token.uri(object)), pin: pin ?? fromFile },
    ...(callMs !== undefined && { callMs }),
  })
  return tokenSeal(using, object)
}

/** The token as somebody else has it who knows the PIN, in a session of their own. */
async function byHand(object: string, flags = SESSION.writing) {
  const token = hsm as SoftHsm
  const module = await loadModule(token.library)
  const slot = await slotOf(module, readSealUri(token.uri(object)))
  const session = await sessionAt(module, slot, flags)
  return { module, slot, session, keys: () => keysAt(module, session, object) }
}

describe.skipIf(hsm === null)(`a seal in a token${why}`, () => {
  it('cannot be taken out, by whoever has the PIN', async () => {
    const store = aStore('inside')
    const version = await store.rotate(new Date())
    const { module, session, keys } = await byHand('inside')
    const key = (await keys()).byVersion.get(version) ?? 0n
    const asked = template([[VALUE, Buffer.alloc(32)]], module.addressOf)
    await expect(
      module.call('C_GetAttributeValue', session, key, asked.whole, 1),
    ).rejects.toMatchObject({ code: SENSITIVE_ATTRIBUTE })
    expect(asked.whole.subarray(24)).toEqual(Buffer.alloc(32))
  })

  it('asks for its first key where there is none', async () => {
    const cause = { message: expect.stringContaining('procura keys rotate seal') as string }
    await expect(aStore('none').current()).rejects.toMatchObject({ code: 'unavailable', cause })
  })

  it('is unavailable while the token is away, and goes on when it is back', async () => {
    const store = aStore('away')
    await store.rotate(new Date())
    const plain = randomBytes(32)
    const wrapped = await store.wrap(plain, at)
    hsm?.withdraw()
    try {
      for (const asked of [() => store.current(), () => store.unwrap(wrapped, at)]) {
        await expect(asked()).rejects.toMatchObject({
          ...{ code: 'unavailable', shown: { evaluation: { unavailableInput: 'keys' } } },
        })
      }
    } finally {
      hsm?.putBack()
    }
    // A session that is new is believed for a second.
    const isBack = async () => {
      expect(await store.unwrap(wrapped, at)).toEqual(plain)
    }
    await vi.waitFor(isBack, { timeout: 5000 })
  })

  it('opens on where its session ended while nobody looked', async () => {
    const store = aStore('ended')
    await store.rotate(new Date())
    const plain = randomBytes(32)
    const wrapped = await store.wrap(plain, at)
    const { module } = await byHand('ended')
    await module.restart()
    expect(await store.unwrap(wrapped, at)).toEqual(plain)
  })

  it('keeps nobody waiting for a token that does not answer', async () => {
    const store = aStore('silent', 50, () => new Promise(() => undefined))
    const asked = [store.current(), store.current(), store.current()]
    const outcomes = await Promise.allSettled(asked)
    for (const it of outcomes) expect(it).toMatchObject({ reason: { code: 'unavailable' } })
  })
  it('lets a few hundred wait, and sends who comes then away at once', async () => {
    await aStore('busy').rotate(new Date())
    const slow = withheld()
    const store = aStore('busy', 60_000, slow.pin)
    const waiting = Array.from({ length: 256 }, () => store.current())
    const cause = { message: expect.stringContaining('too many wait') as string }
    await expect(store.current()).rejects.toMatchObject({ code: 'unavailable', cause })
    slow.give()
    expect(new Set(await Promise.all(waiting)).size).toBe(1)
    expect(await store.current()).toMatch(/^token-/)
  })

  it('is given longer to make a key than to use one', async () => {
    const slow = withheld()
    const store = aStore('slow', 50, slow.pin)
    const made = store.rotate(new Date())
    await expect(store.current()).rejects.toMatchObject({ cause: { name: 'TimeoutError' } })
    slow.give()
    expect(await made).toMatch(/^token-/)
  })

  it('that cannot be opened says why, even where it cannot be closed either', async () => {
    const token = hsm as SoftHsm
    const module = await loadModule(token.library)
    const broken: typeof module = {
      ...module,
      call: (name, ...given) =>
        name === 'C_CloseSession'
          ? Promise.reject(new Error('it does not close'))
          : module.call(name, ...given),
    }
    const pin = { show: () => Promise.reject(new Error('why it is not opened')) }
    await expect(openToken(broken, readSealUri(token.uri('any')), pin)).rejects.toThrow('why')
  })
})

/** A PIN that is in its file only when we say so: the token is not to be had before. */
function withheld() {
  let give: () => void = () => undefined
  const given = new Promise<void>((resolve) => {
    give = resolve
  })
  return { pin: () => given.then(() => new Secret(PIN)), give }
}

describe.skipIf(hsm === null)(`a wrong PIN${why}`, () => {
  it('is shown to the token once, however often it is asked, until the file says another', async () => {
    await aStore('pin').rotate(new Date())
    const { module, slot } = await byHand('pin')
    const isCounted = async () => {
      const info = tokenInfo()
      await module.call('C_GetTokenInfo', slot, info)
      return (readTokenInfo(info).flags & COUNT_LOW) !== 0
    }
    const login = async (pin: string) => {
      const session = await sessionAt(module, slot, SESSION.reading)
      await module.call('C_Login', session, 1, Buffer.from(pin), pin.length)
    }
    const file = hsm?.pinFile ?? ''
    const store = aStore('pin')
    await module.restart() // Nobody is logged in.
    writeFileSync(file, '0000')
    try {
      const refused = { message: expect.stringContaining('refused the PIN') as string }
      const wrong = () =>
        expect(store.current()).rejects.toMatchObject({ code: 'unavailable', cause: refused })
      await wrong()
      expect(await isCounted()).toBe(true)
      await login(PIN) // The token forgets what it counted.
      await module.restart()
      for (let n = 0; n < 5; n += 1) await wrong()
      expect(await isCounted()).toBe(false)
    } finally {
      writeFileSync(file, `${PIN}\n`)
    }
    expect(await store.current()).toMatch(/^token-/)
  })

  it('is not tried where the token would lock', () => {
    const tried = (flags: number) => () => {
      refuseLastTry(0x42d | flags)
    }
    expect(tried(COUNT_LOW)).not.toThrow()
    expect(tried(0x20000)).toThrow('by hand')
    expect(tried(0x40000)).toThrow('locked')
  })
})

it('the id of a new key is after all that there are, whatever the clocks say', () => {
  const version = (id: Buffer) => `token-${id.toString('hex')}`
  const first = idAfter(undefined, new Date('2026-11-21T10:00:00Z'))
  const next = idAfter(version(first), new Date('2020-01-01T00:00:00Z'))
  expect(first).toHaveLength(12)
  expect(version(next) > version(first)).toBe(true)
  expect(version(idAfter(version(next), new Date('2027-01-01T00:00:00Z'))) > version(next)).toBe(
    true,
  )
})

it('no id comes after the last that there is', () => {
  const before = idAfter(`token-${'f'.repeat(23)}e`, new Date(0))
  expect(before.toString('hex')).toBe('f'.repeat(24))
  expect(() => idAfter(`token-${before.toString('hex')}`, new Date(0))).toThrow(
    'no version is left',
  )
})

it.each([
  { what: 'that refuses to say what it can do', code: 5, list: 0x1000n },
  { what: 'that says nothing of what it can do', code: 0, list: 0n },
])('a library $what is told, and not looked into', ({ code, list }) => {
  let asked: Buffer = Buffer.alloc(0)
  const ffi: ForeignFunctions = {
    load: () => ({
      func: () => () => {
        ulong(list).copy(asked)
        return code
      },
    }),
    address(buffer) {
      asked = buffer
      return 1n
    },
    view() {
      throw new RangeError('this would have ended the process')
    },
    ...{ proto: () => ({}), decode: () => ({ async: () => undefined }) },
  }
  const cause = { message: expect.stringContaining('C_GetFunctionList') as string }
  expect(() => functionList(ffi, '/lib/p11.so')).toThrow(
    expect.objectContaining({
      name: 'TokenProblem',
      cause: expect.objectContaining(cause) as Error,
    }),
  )
})

it('what a token says of itself is read without its padding', () => {
  const info = tokenInfo()
  info.write('procura'.padEnd(32) + 'SoftHSM project'.padEnd(32) + 'SoftHSM v2'.padEnd(16))
  info.write('c580215a'.padEnd(16), 80)
  ulong(0x42d).copy(info, 96)
  expect(readTokenInfo(info)).toEqual({
    ...{ token: 'procura', manufacturer: 'SoftHSM project', model: 'SoftHSM v2' },
    ...{ serial: 'c580215a', flags: 0x42d },
  })
  expect(readUlong(info, 12)).toBe(0x42dn)
})
