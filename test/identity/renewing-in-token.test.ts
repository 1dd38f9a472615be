/** A new key in a token, where a broker runs. */
import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseTrusted } from '../../src/domain/json.ts'
import type { InToken } from '../../src/key-files.ts'
import { lookAt, renewing } from '../../src/key-renewal.ts'
import { loadKeys } from '../../src/keys.ts'
import { keyInToken, withNewKey } from '../../src/rotation.ts'
import { aFolder, at, aToken, ONE, TWO } from './token-keys.ts'

describe('a key in a token', () => {
  it('that does not prove itself does not sign where a broker runs: the one before goes on', async () => {
    const { dir, path, text } = await aFolder()
    const { token, make, state } = aToken()
    const options = { token }
    const keys = await loadKeys(dir, options)
    const [{ kid }] = keys.sessions
    const renew = renewing(keys, (now) => loadKeys(dir, { ...options, now }))
    const next = withNewKey(text('sessions'), 'sessions', at(0), keyInToken('sessions', make(ONE)))
    writeFileSync(path('sessions'), next.text)
    state.isAway = true
    await expect(renew(at(10))).rejects.toMatchObject({ code: 'unavailable' })
    expect(keys.sessions.map((it) => it.kid)).toEqual([kid, next.kid])
    state.isAway = false
    await renew(at(10))
    expect(keys.sessions.map((it) => it.kid)).toEqual([next.kid, kid])
  })

  it.each([
    ['signs', 0],
    ['is to come', 60],
  ])('that %s and does not prove itself keeps no stolen key accepted', async (_, seconds) => {
    const { dir, path, text } = await aFolder()
    const { token, make, state } = aToken()
    const options = { token }
    const keys = await loadKeys(dir, options)
    const renew = renewing(keys, (now) => loadKeys(dir, { ...options, now }))
    const stolen = keys.credentials[0].kid
    const fresh = withNewKey(text('credentials'), 'credentials', at(0))
    writeFileSync(path('credentials'), fresh.text)
    await renew(at(5))
    expect(keys.credentials.map((it) => it.kid)).toEqual([fresh.kid, stolen])

    const inToken = keyInToken('credentials', make(ONE))
    const next = withNewKey(fresh.text, 'credentials', at(5 + seconds), inToken)
    const file = parseTrusted(next.text) as { keys: { kid: string }[] }
    const left = file.keys.filter((key) => key.kid !== stolen)
    writeFileSync(path('credentials'), JSON.stringify({ keys: left }))
    state.isAway = true
    await expect(renew(at(10))).rejects.toMatchObject({ code: 'unavailable' })
    expect(keys.credentials.map((it) => it.kid)).toEqual([fresh.kid, next.kid])
  })

  it('that goes on for a new one in the same token is told to be away with it', async () => {
    const { dir, path } = await aFolder()
    const { token, make, state } = aToken()
    const one = JSON.stringify({ keys: [keyInToken('credentials', make(ONE))] })
    writeFileSync(path('credentials'), one)
    const keys = await loadKeys(dir, { token })
    const [{ kid }] = keys.credentials
    const renew = renewing(keys, (now) => loadKeys(dir, { token, now }))
    const next = withNewKey(one, 'credentials', at(0), keyInToken('credentials', make(TWO)))
    writeFileSync(path('credentials'), next.text)
    state.isAway = true
    for (const seconds of [10, 12]) {
      await expect(renew(at(seconds))).rejects.toMatchObject({ code: 'unavailable' })
      expect(keys.credentials.map((it) => it.kid)).toEqual([kid, next.kid])
      await expect(lookAt(keys)).rejects.toMatchObject({ code: 'unavailable' })
    }
    state.isAway = false
    await renew(at(14))
    expect(keys.credentials.map((it) => it.kid)).toEqual([next.kid, kid])
  })

  it('that hangs keeps no stolen key accepted while it is waited for', async () => {
    const { dir, path, text } = await aFolder()
    const { token, make } = aToken()
    let tell = (): void => undefined
    const asked = new Promise<void>((resolve) => (tell = resolve))
    const silent: InToken = {
      at(uri, publicKey) {
        const key = token.at(uri, publicKey)
        const prove = () => {
          tell()
          return new Promise<void>(() => undefined)
        }
        return { ...key, inToken: { ...key.inToken, prove } }
      },
    }
    const keys = await loadKeys(dir, { token: silent })
    const renew = renewing(keys, (now) => loadKeys(dir, { token: silent, now }))
    const stolen = keys.credentials[0].kid
    const inToken = keyInToken('sessions', make(ONE))
    writeFileSync(path('sessions'), withNewKey(text('sessions'), 'sessions', at(0), inToken).text)
    const fresh = withNewKey(text('credentials'), 'credentials', at(0))
    const file = parseTrusted(fresh.text) as { keys: { kid: string }[] }
    const left = file.keys.filter((key) => key.kid !== stolen)
    writeFileSync(path('credentials'), JSON.stringify({ keys: left }))
    renew(at(10)).catch(() => undefined)
    await asked
    expect(keys.credentials.map((it) => it.kid)).toEqual([fresh.kid])
  })

  it('that signs alone and does not prove itself leaves nothing of before to sign with', async () => {
    const { dir, path } = await aFolder()
    const { token, make, state } = aToken()
    const keys = await loadKeys(dir, { token })
    const renew = renewing(keys, (now) => loadKeys(dir, { token, now }))
    const alone = keyInToken('credentials', make(ONE))
    writeFileSync(path('credentials'), JSON.stringify({ keys: [alone] }))
    state.isAway = true
    await expect(renew(at(10))).rejects.toMatchObject({ code: 'unavailable' })
    expect(keys.credentials.map((it) => it.kid)).toEqual([alone.kid])
    await expect(Promise.resolve(keys.credentials[0].sign(Buffer.from('x')))).rejects.toMatchObject(
      { code: 'unavailable' },
    )
  })
})
