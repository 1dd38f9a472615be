/** Key files whose private halves are in a token, and what is refused of them. */
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type JsonObject, parseTrusted } from '../../src/domain/json.ts'
import { readToken, signToken } from '../../src/domain/jws.ts'
import { holdsPrivate, readPublicSet, readSet } from '../../src/key-files.ts'
import { lookAt, prove } from '../../src/key-renewal.ts'
import { loadKeys, publicJwks } from '../../src/keys.ts'
import {
  isLastInToken,
  keyInToken,
  newSetText,
  statesOf,
  withNewKey,
  withoutEnded,
} from '../../src/rotation.ts'
import { loadPdpKeys, splitKeys } from '../../src/side-keys.ts'
import { aFolder, at, aToken, ONE, T, TWO } from './token-keys.ts'

/** A file of one key, which is in a token; changed. */
function changed(change: JsonObject, name: 'credentials' | 'roots' = 'credentials'): string {
  const pair = aToken().make(ONE)
  return JSON.stringify({ keys: [{ ...keyInToken(name, pair), ...change }] })
}

describe('a set with a key in a token', () => {
  it('signs with it when its time has come, and publishes and verifies it like any other', async () => {
    const { token, make } = aToken()
    const before = newSetText('credentials')
    const { text, kid } = withNewKey(
      before,
      'credentials',
      at(10),
      keyInToken('credentials', make(ONE)),
    )
    expect(isLastInToken(before, 'credentials')).toBe(false)
    expect(isLastInToken(text, 'credentials')).toBe(true)
    const claims = { aud: 'x', iat: T + 10, exp: T + 60 }
    const issuer = 'https://b.example'
    for (const [seconds, isTheToken] of [
      [9, false],
      [10, true],
    ] as const) {
      const keys = readSet(text, 'credentials', at(seconds), token)
      expect(keys[0].kid === kid).toBe(isTheToken)
      const signed = await signToken('credential', claims, { issuer, keys })
      const published = readPublicSet(JSON.stringify(publicJwks(keys)), 'credentials')
      const read = readToken(
        'credential',
        signed,
        { issuer, keys: published },
        { now: at(20), audience: 'x' },
      )
      expect(read.kid).toBe(keys[0].kid)
    }
    const said = JSON.stringify(publicJwks(readSet(text, 'credentials')))
    expect(said).not.toContain('pkcs11')
    expect(said).not.toContain('signs_from')
  })

  it('is rotated out of it as into it, and tells what is left there', () => {
    const { make } = aToken()
    const first = JSON.stringify({ keys: [keyInToken('credentials', make(ONE))] })
    const { text, kid } = withNewKey(first, 'credentials', at(10))
    const [{ kid: old }] = readSet(first, 'credentials')
    expect(statesOf(text, 'credentials', at(20))).toMatchObject([
      { kid: old, state: 'verifies', inToken: ONE },
      { kid, state: 'signs' },
    ])
    const later = withoutEnded(text, 'credentials', at(10 + 3661))
    expect(later).toMatchObject({ gone: [old], left: [ONE] })
    expect(later.text).not.toContain('pkcs11')
  })

  it('is asked for what signs and will sign, and not for what is over', async () => {
    const { token, make, asked, state } = aToken()
    const first = JSON.stringify({ keys: [keyInToken('credentials', make(ONE))] })
    const { text } = withNewKey(first, 'credentials', at(10), keyInToken('credentials', make(TWO)))
    const sets = (seconds: number) => ({
      credentials: readSet(text, 'credentials', at(seconds), token),
    })
    await prove(sets(0))
    expect(asked.splice(0)).toEqual([`prove ${ONE}`, `prove ${TWO}`])
    await lookAt(sets(0))
    expect(asked.splice(0)).toEqual([`look ${ONE}`])
    await prove(sets(10))
    expect(asked.splice(0)).toEqual([`prove ${TWO}`])
    state.isAway = true
    const { text: out } = withNewKey(text, 'credentials', at(20))
    await prove({ credentials: readSet(out, 'credentials', at(30), token) })
    expect(asked).toEqual([])
  })

  it('says what is missing where no token is configured, and signs nothing', async () => {
    const [key] = readSet(changed({}), 'credentials', at(0))
    const cause = { name: 'KeyError', message: expect.stringContaining('PROCURA_SIGNER') as string }
    await expect(key.inToken?.prove()).rejects.toMatchObject({ code: 'unavailable', cause })
    await expect(key.sign(Buffer.from('x'))).rejects.toMatchObject({ code: 'unavailable', cause })
  })
})

describe('a key file is refused', () => {
  it.each<[string, string, 'credentials' | 'roots', string]>([
    ['with d and a token', changed({ d: 'SECRET' }), 'credentials', 'in its file and in a token'],
    ['with what names no key', changed({ pkcs11: 'pkcs11:object=' }), 'credentials', 'its label'],
    ['with no text there', changed({ pkcs11: 7 }), 'credentials', 'is no pkcs11: URI'],
    [
      'with a PIN',
      changed({ pkcs11: `${ONE}?pin-value=SECRET` }),
      'credentials',
      'has the PIN in it',
    ],
    [
      'of a set that is signed on record',
      changed({}, 'roots'),
      'roots',
      'the whole log would wait',
    ],
    ['without a public half', changed({ x: null }), 'credentials', 'not a key of its kind'],
    [
      'with a key that is not P-256',
      JSON.stringify({
        keys: [{ ...edwards(), kid: 'cdp-1', pkcs11: ONE }],
      }),
      'credentials',
      'is not P-256',
    ],
  ])('%s', (_what, text, name, told) => {
    const { token } = aToken()
    const read = () => readSet(text, name, at(0), token)
    expect(read).toThrow(expect.objectContaining({ name: 'KeyError' }))
    expect(read).toThrow(told)
    expect(read).not.toThrow('SECRET')
  })

  it('by the side that must not sign, though nothing secret is in it', () => {
    expect(holdsPrivate(changed({}), 'credentials')).toBe(true)
    expect(() => readPublicSet(changed({}), 'credentials')).toThrow(
      'is private, and of the other side',
    )
  })
})

it('each side has its own keys in a token, and of the other the public half alone', async () => {
  const { dir, path } = await aFolder()
  const { token, make } = aToken()
  for (const [name, uri] of [
    ['credentials', ONE],
    ['decisions', TWO],
  ] as const) {
    writeFileSync(path(name), JSON.stringify({ keys: [keyInToken(name, make(uri))] }))
  }
  const out = join(dir, 'split')
  await splitKeys(dir, out)
  const textOf = (side: string, name: string) =>
    readFileSync(join(out, side, `${name}.json`), 'utf8')
  expect(textOf('cdp', 'credentials')).toContain(ONE)
  expect(textOf('pdp', 'credentials')).not.toContain('pkcs11')
  expect(textOf('pdp', 'decisions')).toContain(TWO)
  expect(textOf('cdp', 'decisions')).not.toContain('pkcs11')
  const keys = await loadPdpKeys(join(out, 'pdp'), { token, now: at(0) })
  expect('sign' in keys.credentials[0]).toBe(false)
  expect(parseTrusted(textOf('pdp', 'credentials'))).toEqual(
    publicJwks((await loadKeys(dir)).credentials),
  )
})

function edwards() {
  return generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
}
