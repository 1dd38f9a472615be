import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/domain/json.ts'
import { type KeySet, readToken, signToken } from '../../src/domain/jws.ts'
import { Secret } from '../../src/domain/secret.ts'
import { type Attribute, readTokenInfo, template, tokenInfo } from '../../src/pkcs11/layout.ts'
import { CKA, NO, YES } from '../../src/pkcs11/objects.ts'
import { publicHalf } from '../../src/pkcs11/pairs.ts'
import { createSigners, type Pair } from '../../src/pkcs11/signers.ts'
import { SESSION, sessionAt } from '../../src/pkcs11/slot.ts'
import { keyUri, readKeyUri, readSealUri, readSignerUri } from '../../src/pkcs11/uri.ts'
import { usingToken } from '../../src/pkcs11/using.ts'
import { openSealStore } from '../../src/seal-store.ts'
import { tokenOf } from '../../src/token.ts'
import { aSoftHsm, PIN, type SoftHsm, whyNoSoftHsm } from '../parts/softhsm.ts'
import { byHand as byHandAt, planted as plantedAt, privateHalf, run } from './by-hand.ts'

const why = whyNoSoftHsm === null ? '' : `, not run: ${whyNoSoftHsm}`
const hsm = whyNoSoftHsm === null ? await aSoftHsm() : null
afterAll(() => hsm?.end())

const AWAY = { code: 'unavailable', shown: { evaluation: { unavailableInput: 'keys' } } }
const because = (text: string) => ({
  ...{ code: 'unavailable' },
  cause: { name: 'TokenProblem', message: expect.stringContaining(text) as string },
})
const [VALUE, SENSITIVE_ATTRIBUTE, COUNT_LOW] = [0x11, 0x11, 0x10000]

const byHand = () => byHandAt(hsm as SoftHsm)
const planted = async (label: string, flags: readonly Attribute[]) =>
  await plantedAt(await byHand(), label, flags)

function aToken() {
  const { signer, pinFile } = hsm as SoftHsm
  const pin = () => Promise.resolve(new Secret(readFileSync(pinFile, 'utf8').trim()))
  return createSigners(usingToken({ uri: readSignerUri(signer), pin }))
}
const publicKeyOf = ({ jwk }: Pick<Pair, 'jwk'>) => createPublicKey({ key: jwk, format: 'jwk' })
const isGood = (pair: Pair, text: string, signature: Buffer) =>
  verify(
    'sha256',
    Buffer.from(text),
    { key: publicKeyOf(pair), dsaEncoding: 'ieee-p1363' },
    signature,
  )

describe.skipIf(hsm === null)(`a key that signs in a token${why}`, () => {
  it('signs tokens that its published half verifies, and is named by no more than label and id', async () => {
    const pair = await aToken().make('procura-sessions')
    expect(pair.uri).toMatch(/^pkcs11:object=procura-sessions;id=(%[0-9a-f]{2}){16};type=private$/)
    expect(Object.keys(pair.jwk).sort()).toEqual(['crv', 'kty', 'x', 'y'])
    const publicKey = publicKeyOf(pair)
    const key = { kid: 'ses-1', alg: 'ES256', publicKey } as const
    // Another process: it finds the key by its name.
    const keys: KeySet = [{ ...key, ...aToken().at(pair.uri, publicKey) }]
    const [issuer, now] = ['https://b.example', new Date(1_800_000_001_000)]
    const claims: JsonObject = { iat: 1_800_000_000, exp: 1_800_000_060 }
    const all = Array.from({ length: 20 }, (_, n) => ({ ...claims, n }))
    const tokens = await Promise.all(all.map((it) => signToken('session', it, { issuer, keys })))
    const read = tokens.map((it) => readToken('session', it, { issuer, keys: [key] }, { now }))
    expect(read.map(({ claims: { n } }) => n)).toEqual(all.map(({ n }) => n))
  })

  it('is not logged in to for each that asks for a key that is not there', async () => {
    const pair = await aToken().make('there')
    const { signer, pinFile } = hsm as SoftHsm
    let logins = 0
    const pin = () => {
      logins += 1
      return Promise.resolve(new Secret(readFileSync(pinFile, 'utf8').trim()))
    }
    const signers = createSigners(usingToken({ uri: readSignerUri(signer), pin }))
    const missing = signers.at('pkcs11:object=nowhere', publicKeyOf(pair))
    for (let n = 0; n < 20; n += 1)
      await expect(missing.sign(Buffer.from('x'))).rejects.toMatchObject(because('no private key'))
    expect(logins).toBeLessThan(10)
    const signature = await signers.at(pair.uri, publicKeyOf(pair)).sign(Buffer.from('x'))
    expect(isGood(pair, 'x', signature)).toBe(true)
  })

  it('leaves room for what is opened, however many want a signature', async () => {
    const pair = await aToken().make('crowd')
    const { signer, pinFile } = hsm as SoftHsm
    let give = (_: Secret) => {}
    const given = new Promise<Secret>((resolve) => (give = resolve))
    const using = usingToken({ uri: readSignerUri(signer), pin: () => given })
    const key = createSigners(using).at(pair.uri, publicKeyOf(pair))
    const sign = async (text: string) => await key.sign(Buffer.from(text))
    const waiting = Array.from({ length: 64 }, () => sign('one of many'))
    await expect(sign('one too many')).rejects.toMatchObject(because('too many wait'))
    const opened = using(() => Promise.resolve('opened'))
    give(new Secret(readFileSync(pinFile, 'utf8').trim()))
    expect(await opened).toBe('opened')
    for (const signature of await Promise.all(waiting))
      expect(isGood(pair, 'one of many', signature)).toBe(true)
  })

  it('cannot be taken out, by whoever has the PIN', async () => {
    const pair = await aToken().make('inside')
    const { module, session, ...there } = await byHand()
    const key = await privateHalf({ module, session, ...there }, pair)
    expect(key).not.toBe(0n)
    const asked = template([[VALUE, Buffer.alloc(32)]], module.addressOf)
    await expect(
      module.call('C_GetAttributeValue', session, key, asked.whole, 1),
    ).rejects.toMatchObject({ code: SENSITIVE_ATTRIBUTE })
    expect(asked.whole.subarray(24)).toEqual(Buffer.alloc(32))
  })

  it.each<[string, readonly Attribute[], string]>([
    ['can be taken out', [[CKA.extractable, YES]], 'can be taken out'],
    ['serves without the PIN', [[CKA.private, NO]], 'without the PIN'],
    [
      'can be read',
      [
        [CKA.sensitive, NO],
        [CKA.extractable, YES],
      ],
      'can be taken out',
    ],
  ])('signs nothing where it %s, and says so', async (what, flags, told) => {
    const pair = await planted(what, flags)
    const key = aToken().at(pair.uri, publicKeyOf(pair))
    await expect(key.inToken.prove()).rejects.toMatchObject(because(told))
    await expect(key.sign(Buffer.from('x'))).rejects.toMatchObject(because(told))
  })

  it('is one that somebody made by hand, where it is as it has to be', async () => {
    const pair = await planted('by hand', [])
    const signature = await aToken().at(pair.uri, publicKeyOf(pair)).sign(Buffer.from('x'))
    expect(isGood(pair, 'x', signature)).toBe(true)
  })

  it('signs nothing where another half is published, where it is not there, or where two are', async () => {
    const signers = aToken()
    const [one, other] = [await signers.make('one'), await signers.make('other')]
    const wrong = aToken().at(one.uri, publicKeyOf(other))
    const told = because('not the one whose public half is published')
    await expect(wrong.inToken.prove()).rejects.toMatchObject(told)
    await expect(wrong.sign(Buffer.from('x'))).rejects.toMatchObject(told)

    const missing = aToken().at(keyUri('one', Buffer.of(1, 2)), publicKeyOf(one))
    await expect(missing.inToken.prove()).rejects.toMatchObject(
      because('no private key of label one and CKA_ID 0102'),
    )
    const another = await signers.make('one')
    const both = aToken().at('pkcs11:object=one', publicKeyOf(another))
    await expect(both.inToken.prove()).rejects.toMatchObject(
      because('two private keys of label one'),
    )
  })

  it('is tried anew in each session: what took over its name signs nothing', async () => {
    const signers = aToken()
    const pair = await signers.make('taken-over')
    const key = signers.at(pair.uri, publicKeyOf(pair))
    expect(isGood(pair, 'x', await key.sign(Buffer.from('x')))).toBe(true)
    const token = await byHand()
    const { module, session, library } = token
    const rename = async (of: Pair, id: Buffer) => {
      const { whole, count } = template([[CKA.id, id]], module.addressOf)
      const half = await privateHalf(token, of)
      expect(run(library, 'C_SetAttributeValue', session, half, whole, BigInt(count))).toBe(0)
    }
    await rename(pair, Buffer.of(9))
    await rename(await planted('taken-over', []), readKeyUri(pair.uri).id ?? NO)
    await module.restart() // As after a token was away.
    await expect(key.sign(Buffer.from('x'))).rejects.toMatchObject(because('not the one'))
  })

  it('is unavailable while the token is away, and signs again when it is back, with nobody’s help', async () => {
    const signers = aToken()
    const pair = await signers.make('away')
    const key = signers.at(pair.uri, publicKeyOf(pair))
    await key.inToken.prove()
    hsm?.withdraw()
    try {
      await expect(key.sign(Buffer.from('x'))).rejects.toMatchObject(AWAY)
      await expect(key.inToken.look()).rejects.toMatchObject(AWAY)
      // Other keys can be changed meanwhile: what was proven is not asked for again.
      await signers.at(pair.uri, publicKeyOf(pair)).inToken.prove()
    } finally {
      hsm?.putBack()
    }
    await key.inToken.look()
    expect(isGood(pair, 'x', await key.sign(Buffer.from('x')))).toBe(true)
  })

  it('keeps nobody waiting for longer than two seconds', async () => {
    const uri = readSignerUri((hsm as SoftHsm).signer)
    const silent = createSigners(usingToken({ uri, pin: () => new Promise(() => undefined) }))
    const pair = await aToken().make('silent')
    const since = performance.now()
    const signed = silent.at(pair.uri, publicKeyOf(pair)).sign(Buffer.from('x'))
    await expect(signed).rejects.toMatchObject({ ...AWAY, cause: { name: 'TimeoutError' } })
    expect(performance.now() - since).toBeLessThan(4000)
  })

  it('shares its login with the seal: a wrong PIN is shown once for both, and printed nowhere', async () => {
    const { signer, pinFile } = hsm as SoftHsm
    const [sealToken, signerToken] = [readSealUri((hsm as SoftHsm).uri('s')), readSignerUri(signer)]
    const { module, slot } = await byHand()
    const isCounted = async () => {
      const info = tokenInfo()
      await module.call('C_GetTokenInfo', slot, info)
      return (readTokenInfo(info).flags & COUNT_LOW) !== 0
    }
    const pair = await aToken().make('shared')
    await module.restart() // Nobody is logged in.
    writeFileSync(pinFile, '0000')
    try {
      const open = tokenOf({ sealToken, signerToken })
      const refused = /refused the PIN/
      const seal = openSealStore({ keysDir: '/nowhere', sealKey: null, sealToken }, open?.using)
      await expect(seal).rejects.toThrow(refused)
      expect(await isCounted()).toBe(true)
      const session = await sessionAt(module, slot, SESSION.reading)
      await module.call('C_Login', session, 1, Buffer.from(PIN), PIN.length) // It forgets what it counted.
      await module.restart()
      const key = open?.signers?.at(pair.uri, publicKeyOf(pair))
      const error = await key?.inToken.prove().then(
        () => null,
        (caught: unknown) => caught,
      )
      expect(error).toMatchObject(because('refused the PIN'))
      expect(String((error as Error).cause)).not.toMatch(/0000|48151623/)
      expect(await isCounted()).toBe(false)
    } finally {
      writeFileSync(pinFile, `${PIN}\n`)
    }
  })
})

describe('the public half of what a token made', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = publicKey.export({ format: 'jwk' })
  const octets = (it: string | undefined) => Buffer.from(it ?? '', 'base64url')
  const point = Buffer.concat([Buffer.of(4), octets(jwk.x), octets(jwk.y)])

  it('is read with the wrapping of 2.30 and without it, and nothing else is taken for one', () => {
    const { x, y } = jwk
    for (const answer of [point, Buffer.concat([Buffer.of(4, 65), point])]) {
      expect(publicHalf(answer)).toEqual({ crv: 'P-256', kty: 'EC', x, y })
    }
    const compressed = Buffer.concat([Buffer.of(2), octets(jwk.x)])
    for (const answer of [Buffer.alloc(0), compressed, point.subarray(1), Buffer.alloc(65)]) {
      expect(() => publicHalf(answer)).toThrow('does not tell the public half')
    }
  })
})
