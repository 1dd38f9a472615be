/** Folders of keys for two processes: each has what it needs, and is refused with more. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { readToken, signToken } from '../../src/domain/jws.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createKeys, loadKeys } from '../../src/keys.ts'
import { loadCdpKeys, loadPdpKeys, splitKeys } from '../../src/side-keys.ts'

let whole: string
let split: string
beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'procura-split-'))
  whole = join(dir, 'whole')
  split = join(dir, 'split')
  await createKeys(whole)
  await splitKeys(whole, split)
  return () => {
    rmSync(dir, { recursive: true })
  }
})

/** A folder of one side, to be spoilt. */
function aCopy(side: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'procura-side-'))
  onTestFinished(() => {
    rmSync(dir, { recursive: true })
  })
  cpSync(join(split, side), dir, { recursive: true })
  return dir
}
const textOf = (dir: string, name: string) => readFileSync(join(dir, name), 'utf8')

describe('a split folder', () => {
  it('gives each side its own keys and the public half of the other’s', () => {
    const names = (side: string) => readdirSync(join(split, side)).sort()
    expect(names('cdp')).toEqual(['credentials.json', 'decisions.json', 'seal.key'])
    expect(names('pdp')).toEqual([
      ...['credentials.json', 'decisions.json', 'evidence.json', 'ledger.key', 'nonce.key'],
      ...['roots.json', 'seal.key', 'sessions.json'],
    ])
    expect(textOf(join(split, 'cdp'), 'decisions.json')).not.toContain('"d":')
    expect(textOf(join(split, 'pdp'), 'credentials.json')).not.toContain('"d":')
  })

  it('has the seal that was given beside the folder, where there is none in it', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'procura-unsealed-'))
    onTestFinished(() => {
      rmSync(dir, { recursive: true })
    })
    cpSync(whole, join(dir, 'whole'), { recursive: true })
    const sealKey = new Secret(textOf(whole, 'seal.key').trim())
    rmSync(join(dir, 'whole', 'seal.key'))
    await splitKeys(join(dir, 'whole'), join(dir, 'split'), { sealKey, keepSeal: true })
    expect(textOf(join(dir, 'split', 'pdp'), 'seal.key').trim()).toBe(sealKey.reveal())
    expect(textOf(join(dir, 'split', 'cdp'), 'seal.key')).toContain(sealKey.reveal())
  })

  it('is read so that what one signs the other verifies', async () => {
    const [pdp, cdp] = [
      await loadPdpKeys(join(split, 'pdp')),
      await loadCdpKeys(join(split, 'cdp')),
    ]
    const issuer = 'https://broker.example'
    const now = new Date()
    const iat = Math.floor(now.getTime() / 1000)
    const signed = await signToken(
      'decision',
      { iat, exp: iat + 60 },
      { issuer, keys: pdp.decisions },
    )
    expect(
      readToken('decision', signed, { issuer, keys: cdp.decisions }, { now }).claims,
    ).toBeTruthy()
    expect('sign' in cdp.decisions[0] || 'sign' in pdp.credentials[0]).toBe(false)
  })

  it('has two seals, and the old one stays with what identifies people', async () => {
    const { seal } = await loadKeys(whole)
    expect(textOf(join(split, 'pdp'), 'seal.key').trim()).toBe(seal.reveal())
    expect(textOf(join(split, 'cdp'), 'seal.key')).not.toContain(seal.reveal())
  })

  it('keeps the old seal behind the new one where what it sealed is to be put under the new', async () => {
    const out = mkdtempSync(join(tmpdir(), 'procura-kept-'))
    onTestFinished(() => {
      rmSync(out, { recursive: true })
    })
    await splitKeys(whole, out, { keepSeal: true })
    const { seal } = await loadKeys(whole)
    const [first, second] = textOf(join(out, 'cdp'), 'seal.key').split('\n')
    expect(second).toBe(seal.reveal())
    expect(first).not.toBe(second)
  })

  it('is never written over', async () => {
    const before = textOf(join(split, 'cdp'), 'seal.key')
    await expect(splitKeys(whole, split)).rejects.toThrow('is there')
    expect(textOf(join(split, 'cdp'), 'seal.key')).toBe(before)
  })
})

describe('a side is refused', () => {
  it.each([
    ['pdp', 'credentials.json', /cdp-.* is private, and of the other side/],
    ['cdp', 'decisions.json', /pdp-.* is private, and of the other side/],
  ])('%s with the private half of %s', async (side, name, why) => {
    const dir = aCopy(side)
    const load = side === 'pdp' ? loadPdpKeys : loadCdpKeys
    await expect(load(dir)).resolves.toBeTruthy()
    writeFileSync(join(dir, name), textOf(whole, name))
    await expect(load(dir)).rejects.toThrow(why)
  })

  it.each(['sessions.json', 'roots.json', 'evidence.json', 'ledger.key', 'nonce.key'])(
    'cdp with %s',
    async (name) => {
      const dir = aCopy('cdp')
      writeFileSync(join(dir, name), textOf(whole, name))
      await expect(loadCdpKeys(dir)).rejects.toThrow(/is not of cdp.*procura keys split/)
    },
  )

  it.each([
    ['pdp', 'credentials.json'],
    ['cdp', 'decisions.json'],
    ['cdp', 'seal.key'],
  ])('%s without %s', async (side, name) => {
    const dir = aCopy(side)
    rmSync(join(dir, name))
    await expect((side === 'pdp' ? loadPdpKeys : loadCdpKeys)(dir)).rejects.toThrow(name)
  })
})
