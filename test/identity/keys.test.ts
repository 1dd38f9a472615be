import { generateKeyPairSync } from 'node:crypto'
import { chmod, cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { importJWK, jwtVerify } from 'jose'
import { afterAll, describe, expect, it } from 'vitest'
import { parseTrusted } from '../../src/domain/json.ts'
import { signToken } from '../../src/domain/jws.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createKeys, loadKeys, publicJwks } from '../../src/keys.ts'

const FILES = [
  'credentials.json',
  'decisions.json',
  'evidence.json',
  'ledger.key',
  'nonce.key',
  'roots.json',
  'seal.key',
  'sessions.json',
]
const made: string[] = []
async function aFolder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'procura-keys-'))
  made.push(root)
  return join(root, 'keys')
}
async function keysIn(dir: string) {
  await createKeys(dir)
  return await loadKeys(dir)
}
afterAll(async () => {
  for (const dir of made) await rm(dir, { recursive: true })
})

describe('the key folder', () => {
  it('is made once, for its owner alone, and then left as it is', async () => {
    const dir = await aFolder()
    expect((await createKeys(dir)).sort()).toEqual(FILES)
    const before = await Promise.all(FILES.map((name) => readFile(join(dir, name), 'utf8')))
    expect(await createKeys(dir)).toEqual([])
    expect((await readdir(dir)).sort()).toEqual(FILES)
    expect(await Promise.all(FILES.map((name) => readFile(join(dir, name), 'utf8')))).toEqual(
      before,
    )
    expect((await stat(dir)).mode & 0o777).toBe(0o700)
    for (const name of FILES) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600)
  })

  it('holds one set of whole keys when several make it at the same moment', async () => {
    const dir = await aFolder()
    const makers = await Promise.all(Array.from({ length: 8 }, () => createKeys(dir)))
    expect(makers.flat().sort()).toEqual(FILES)
    expect((await readdir(dir)).sort()).toEqual(FILES)
    await expect(loadKeys(dir)).resolves.toBeDefined()
  })

  it('gives what is missing, and keeps what is there', async () => {
    const dir = await aFolder()
    await createKeys(dir)
    await rm(join(dir, 'nonce.key'))
    expect(await createKeys(dir)).toEqual(['nonce.key'])
  })

  it.each(FILES)('teaches what to do where %s is missing', async (name) => {
    const dir = await aFolder()
    await createKeys(dir)
    await rm(join(dir, name))
    await expect(loadKeys(dir)).rejects.toThrow(name)
    await expect(loadKeys(dir)).rejects.toThrow('procura keys create')
  })

  it('takes a sealing key from elsewhere, and then needs no seal.key', async () => {
    const dir = await aFolder()
    await createKeys(dir)
    await rm(join(dir, 'seal.key'))
    const sealKey = new Secret(Buffer.alloc(32, 7).toString('base64url'))
    expect((await loadKeys(dir, { sealKey })).seal.reveal()).toBe(sealKey.reveal())
    await expect(loadKeys(dir, { sealKey: new Secret('short') })).rejects.toThrow('seal.key')
  })

  it('warns when others on the machine can read a key', async () => {
    const dir = await aFolder()
    await createKeys(dir)
    const warnings: string[] = []
    const warn = (text: string) => warnings.push(text)
    await loadKeys(dir, { warn })
    expect(warnings).toEqual([])
    await chmod(join(dir, 'decisions.json'), 0o644)
    await loadKeys(dir, { warn })
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('decisions.json')
  })

  it('names each key for the side it signs for, and lets no side have the key of another', async () => {
    const dir = await aFolder()
    const { sessions, decisions, credentials, evidence } = await keysIn(dir)
    const prefixes = [sessions, decisions, credentials, evidence].map(([{ kid }]) =>
      kid.slice(0, 4),
    )
    expect(prefixes).toEqual(['ses-', 'pdp-', 'cdp-', 'evd-'])
    await cp(join(dir, 'sessions.json'), join(dir, 'credentials.json'))
    await expect(loadKeys(dir)).rejects.toThrow('cdp-')
    const stolen = await readFile(join(dir, 'sessions.json'), 'utf8')
    await writeFile(join(dir, 'credentials.json'), stolen.replace('"ses-', '"cdp-'))
    await expect(loadKeys(dir)).rejects.toThrow('two key files')
  })

  it('signs with the first key of a set, and publishes all of them without the private part', async () => {
    const { sessions } = await keysIn(await aFolder())
    const { keys } = publicJwks(sessions) as { keys: Record<string, string>[] }
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([
      ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'],
    ])
    const now = new Date(1_800_000_000_000)
    const claims = { iat: 1_800_000_000, exp: 1_800_000_060 }
    const token = await signToken('session', claims, {
      issuer: 'https://b.example',
      keys: sessions,
    })
    const key = await importJWK(keys[0] ?? {})
    await expect(jwtVerify(token, key, { currentDate: now })).resolves.toBeDefined()
  })

  it('accepts Ed25519 keys, and refuses other curves without showing them', async () => {
    const dir = await aFolder()
    await createKeys(dir)
    const write = async (pair: { privateKey: { export(options: { format: 'jwk' }): unknown } }) => {
      const jwk = pair.privateKey.export({ format: 'jwk' }) as Record<string, unknown>
      await writeFile(
        join(dir, 'evidence.json'),
        JSON.stringify({ keys: [{ ...jwk, kid: 'evd-1' }] }),
      )
      return String(jwk['d'])
    }
    await write(generateKeyPairSync('ed25519'))
    expect((await loadKeys(dir)).evidence[0].alg).toBe('Ed25519')
    const secret = await write(generateKeyPairSync('ec', { namedCurve: 'P-384' }))
    const error = await loadKeys(dir).catch((caught: unknown) => caught)
    expect(String(error)).toContain('neither P-256 nor Ed25519')
    expect(inspect(error)).not.toContain(secret)
  })

  it('never prints what it holds, nor what it could not read', async () => {
    const dir = await aFolder()
    const keys = await keysIn(dir)
    const texts = await Promise.all(FILES.map((name) => readFile(join(dir, name), 'utf8')))
    const secrets = texts.flatMap((text) =>
      text.startsWith('{')
        ? (parseTrusted(text) as { keys: { d: string }[] }).keys.map(({ d }) => d)
        : text.split('\n').filter((line) => line.length > 30 && !line.startsWith('-----')),
    )
    expect(secrets).toHaveLength(FILES.length)
    const printed = inspect(keys, { depth: 9, showHidden: true }) + JSON.stringify(keys)
    await writeFile(join(dir, 'sessions.json'), `${texts.at(-1) ?? ''},`)
    const error = inspect(await loadKeys(dir).catch((caught: unknown) => caught), { depth: 9 })
    for (const secret of secrets) expect(printed + error).not.toContain(secret)
  })
})
