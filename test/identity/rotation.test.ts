import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parseTrusted } from '../../src/domain/json.ts'
import { readToken, signToken } from '../../src/domain/jws.ts'
import { readSet } from '../../src/key-files.ts'
import { renewing } from '../../src/key-renewal.ts'
import { createKeys, loadKeys, publicJwks, type Staged, stageKeyFile } from '../../src/keys.ts'
import { loadPdpKeys, splitKeys } from '../../src/side-keys.ts'
import { newSetText, statesOf, withNewKey, withoutEnded } from '../../src/rotation.ts'

const T = 1_800_000_000
const at = (seconds: number) => new Date((T + seconds) * 1000)
const OLD = newSetText('credentials')
const [{ kid: old }] = readSet(OLD, 'credentials')
const NEXT = withNewKey(OLD, 'credentials', at(600))
const signerAt = (text: string, seconds: number) => readSet(text, 'credentials', at(seconds))[0].kid

const made: string[] = []
async function aFolder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'procura-rotation-'))
  made.push(root)
  await createKeys(join(root, 'keys'))
  return join(root, 'keys')
}
afterAll(async () => {
  for (const dir of made) await rm(dir, { recursive: true })
})

describe('a set in which a new key was put', () => {
  it('publishes it at once, without a word of when, and signs with it from its moment on', () => {
    expect([0, 599, 600, 9999].map((seconds) => signerAt(NEXT.text, seconds))).toEqual([
      ...[old, old, NEXT.kid, NEXT.kid],
    ])
    const { keys } = publicJwks(readSet(NEXT.text, 'credentials', at(0))) as {
      keys: Record<string, string>[]
    }
    expect(keys.map(({ kid }) => kid)).toEqual([old, NEXT.kid])
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    }
  })

  it('[ADM-11] may get another within the same second: each signs in its turn', () => {
    const twice = withNewKey(NEXT.text, 'credentials', at(600))
    expect([599, 600, 601].map((seconds) => signerAt(twice.text, seconds))).toEqual([
      ...[old, NEXT.kid, twice.kid],
    ])
  })

  it('[ADM-11] keeps the old key for the whole life of what it signed, and then lets it go', () => {
    const last = 600 + 3600 + 60
    for (const seconds of [0, 600, last - 1]) {
      expect(withoutEnded(NEXT.text, 'credentials', at(seconds)).gone).toEqual([])
    }
    const { gone, text } = withoutEnded(NEXT.text, 'credentials', at(last))
    expect(gone).toEqual([old])
    expect(signerAt(text, last)).toBe(NEXT.kid)
    expect(withoutEnded(text, 'credentials', at(1e9)).gone).toEqual([])
  })

  it('[ADM-11] never loses the key that signs, nor one that nobody dated', () => {
    expect(withoutEnded(OLD, 'credentials', at(1e9)).gone).toEqual([])
    const undated = parseTrusted(OLD) as { keys: object[] }
    const other = parseTrusted(newSetText('credentials')) as { keys: object[] }
    const text = JSON.stringify({ keys: [...undated.keys, ...other.keys] })
    expect(withoutEnded(text, 'credentials', at(1e9)).gone).toEqual([])
    expect(signerAt(text, 1e9)).toBe(old)
  })

  it.each(['roots', 'evidence'] as const)(
    'keeps every key of %s, which is looked at later',
    (set) => {
      const { text } = withNewKey(newSetText(set), set, at(0))
      expect(withoutEnded(text, set, at(1e9)).gone).toEqual([])
      expect(statesOf(text, set, at(1e9)).map(({ state }) => state)).toEqual(['verifies', 'signs'])
    },
  )

  it('says of each key what it is for, and until when', () => {
    expect(statesOf(NEXT.text, 'credentials', at(0))).toEqual([
      { kid: old, state: 'signs', at: null },
      { kid: NEXT.kid, state: 'will sign', at: at(600) },
    ])
    expect(statesOf(NEXT.text, 'credentials', at(700))).toEqual([
      { kid: old, state: 'verifies', at: at(4260) },
      { kid: NEXT.kid, state: 'signs', at: null },
    ])
  })

  it('refuses a moment that is none', () => {
    for (const start of ['"soon"', '-1', '1.5']) {
      const text = NEXT.text.replace(/"signs_from":\d+/, `"signs_from":${start}`)
      expect(() => readSet(text, 'credentials', at(0))).toThrow('signs_from')
    }
  })
})

describe('a broker that runs', () => {
  it('signs with the new key and takes what the old one signed, in the set it was handed', async () => {
    const dir = await aFolder()
    const keys = await loadKeys(dir)
    const signer = { issuer: 'https://b.example', keys: keys.credentials }
    const renew = renewing(keys, (now) => loadKeys(dir, { now }))
    const sign = () => signToken('credential', { aud: 'x', iat: T, exp: T + 3600 }, signer)
    const [before, [{ kid }]] = [await sign(), keys.credentials]
    const path = join(dir, 'credentials.json')
    const file = await readFile(path, 'utf8')
    const { text, kid: next } = withNewKey(file, 'credentials', at(10))
    await (await stageKeyFile(path, file, text)).putInPlace()

    await renew(at(0))
    expect(keys.credentials.map((key) => key.kid)).toEqual([kid, next])
    await renew(at(10))
    expect(keys.credentials.map((key) => key.kid)).toEqual([next, kid])
    for (const token of [before, await sign()]) {
      expect(() =>
        readToken('credential', token, signer, { now: at(20), audience: 'x' }),
      ).not.toThrow()
    }
  })

  it('takes what the other side signs with when the public half is in its own folder', async () => {
    const dir = await aFolder()
    const out = join(dir, '..', 'sides')
    await splitKeys(dir, out)
    const keys = await loadPdpKeys(join(out, 'pdp'))
    const [{ kid }] = keys.credentials
    const renew = renewing(keys, (now) => loadPdpKeys(join(out, 'pdp'), { now }))
    const own = await readFile(join(out, 'cdp', 'credentials.json'), 'utf8')
    const { text, kid: next } = withNewKey(own, 'credentials', at(10))
    const half = JSON.stringify(publicJwks(readSet(text, 'credentials')))
    const path = join(out, 'pdp', 'credentials.json')
    await (await stageKeyFile(path, await readFile(path, 'utf8'), half)).putInPlace()
    await renew(at(0))
    expect(keys.credentials.map((key) => key.kid)).toEqual([kid, next])
    await (await stageKeyFile(path, half, text)).putInPlace()
    await expect(renew(at(0))).rejects.toThrow('private')
  })

  it('changes nothing where the folder cannot be read, in no set', async () => {
    const dir = await aFolder()
    const keys = await loadKeys(dir)
    const [before] = [keys.sessions.map(({ kid }) => kid)]
    const renew = renewing(keys, (now) => loadKeys(dir, { now }))
    await writeFile(
      join(dir, 'sessions.json'),
      withNewKey(newSetText('sessions'), 'sessions', at(0)).text,
    )
    await writeFile(join(dir, 'evidence.json'), '{')
    await expect(renew(at(10))).rejects.toThrow('evidence.json')
    expect(keys.sessions.map(({ kid }) => kid)).toEqual(before)
  })

  it('finds the old file until the new one is in its place, whoever was killed before', async () => {
    const dir = await aFolder()
    const path = join(dir, 'sessions.json')
    const before = await readFile(path, 'utf8')
    await writeFile(`${path}.next`, 'half')
    const staged = await stageKeyFile(path, before, newSetText('sessions'))
    expect(await readFile(path, 'utf8')).toBe(before)
    await staged.putInPlace()
    expect(await readFile(path, 'utf8')).not.toBe(before)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await readdir(dir)).filter((name) => name.includes('next'))).toEqual([])
  })

  it('finds one file of several that were staged in turn or at once, and never one over another', async () => {
    const dir = await aFolder()
    const path = join(dir, 'sessions.json')
    const texts = Array.from({ length: 8 }, () => newSetText('sessions'))
    const inPlace = async (staged: readonly Staged[]) => {
      const ends = await Promise.allSettled(staged.map((one) => one.putInPlace()))
      for (const end of ends) {
        if (end.status === 'rejected') expect(String(end.reason)).toContain('by somebody else')
      }
      return texts.filter((_, n) => ends[n]?.status === 'fulfilled')
    }
    let before = await readFile(path, 'utf8')
    const inTurn: Staged[] = []
    for (const text of texts) inTurn.push(await stageKeyFile(path, before, text))
    expect(await inPlace(inTurn)).toEqual([texts.at(-1)])
    before = await readFile(path, 'utf8')
    const atOnce = await Promise.all(texts.map((text) => stageKeyFile(path, before, text)))
    const [last = before, ...more] = await inPlace(atOnce)
    expect(more).toEqual([])
    expect(await readFile(path, 'utf8')).toBe(last)
  })

  it('finds what somebody wrote there while another was staged', async () => {
    const path = join(await aFolder(), 'sessions.json')
    const staged = await stageKeyFile(path, await readFile(path, 'utf8'), newSetText('sessions'))
    const text = newSetText('sessions')
    await writeFile(path, text)
    await expect(staged.putInPlace()).rejects.toThrow('by somebody else')
    expect(await readFile(path, 'utf8')).toBe(text)
  })
})
