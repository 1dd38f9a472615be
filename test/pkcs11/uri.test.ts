import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { keyUri, readKeyUri, readSignerUri } from '../../src/pkcs11/uri.ts'

const HOW = 'module-path=/usr/lib/p11.so&pin-source=file:/run/pin'
const SIGNER = `pkcs11:token=procura?${HOW}`

describe('the URI of a key that signs', () => {
  it('is read as it was written, whatever its label and the octets of its id', () => {
    const [label, id] = [
      fc.string({ minLength: 1, unit: 'binary' }),
      fc.uint8Array({ minLength: 1 }),
    ]
    const isSame = (object: string, octets: Uint8Array) => {
      const uri = keyUri(object, Buffer.from(octets))
      expect(readKeyUri(uri)).toEqual({ object, id: Buffer.from(octets) })
    }
    fc.assert(fc.property(label, id, isSame), { numRuns: 200, seed: 7 })
  })

  it('may name it by one of both, with octets that are written as themselves', () => {
    expect(readKeyUri('pkcs11:object=a%20b')).toEqual({ object: 'a b', id: null })
    expect(readKeyUri('pkcs11:id=%00a%fF;type=private')).toEqual({
      ...{ object: null, id: Buffer.from([0, 0x61, 0xff]) },
    })
  })

  it.each([
    ['no such URI', 'SECRET'],
    ['of nothing', 'pkcs11:'],
    ['of a key without a name', 'pkcs11:object='],
    ['of an empty id', 'pkcs11:id='],
    ['badly encoded', 'pkcs11:id=%1'],
    ['of a public key', 'pkcs11:id=%01;type=public'],
    ['of a token', 'pkcs11:token=SECRET;id=%01'],
    ['that says how to open it', 'pkcs11:id=%01?pin-source=/run/SECRET'],
    ['with the PIN in it', 'pkcs11:id=%01?pin-value=SECRET'],
    ['that says it twice', 'pkcs11:id=%01;id=%02'],
  ])('is refused where it is %s, and nothing of it is quoted', (_what, text) => {
    expect(() => readKeyUri(text)).toThrow(TypeError)
    expect(() => readKeyUri(text)).not.toThrow('SECRET')
  })
})

describe('PROCURA_SIGNER', () => {
  const read = (env: Record<string, string>) => loadConfig(env).config.signerToken

  it('names a token, and none of its keys', () => {
    const where = { modulePath: '/usr/lib/p11.so', pinFile: '/run/pin' }
    expect(readSignerUri(SIGNER)).toEqual({ names: { token: 'procura' }, ...where })
    expect(read({ PROCURA_SIGNER: SIGNER })).toMatchObject(where)
    for (const role of ['pdp', 'cdp']) {
      const ofOneSide = () => read({ PROCURA_SIGNER: SIGNER, PROCURA_ROLE: role })
      expect(ofOneSide).not.toThrow(/^PROCURA_SIGNER/m)
    }
    expect(() => read({ PROCURA_SIGNER: SIGNER.replace('?', ';object=x?') })).toThrow(ConfigError)
    expect(read({})).toBeNull()
  })

  it('is the token of PROCURA_SEAL, where that names one: a process opens no two', () => {
    const seal = `pkcs11:token=procura;object=seal?${HOW}`
    expect(read({ PROCURA_SIGNER: SIGNER, PROCURA_SEAL: seal })).not.toBeNull()
    for (const other of [
      SIGNER.replace('procura', 'other'),
      SIGNER.replace('/run/pin', '/run/pin2'),
      SIGNER.replace('p11', 'p12'),
    ]) {
      const both = { PROCURA_SIGNER: other, PROCURA_SEAL: seal }
      expect(() => read(both)).toThrow('PROCURA_SIGNER: names another token than PROCURA_SEAL')
    }
  })
})
