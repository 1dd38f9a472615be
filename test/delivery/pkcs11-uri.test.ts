import { describe, expect, it } from 'vitest'
import { ConfigError, loadConfig } from '../../src/config.ts'
import { readSealUri } from '../../src/pkcs11/uri.ts'

const HOW = 'module-path=/usr/lib/p11.so&pin-source=file:/run/pin'

describe('a PKCS #11 URI', () => {
  it('names a token, a key, a library and the file of a PIN', () => {
    expect(readSealUri(`pkcs11:token=procura;object=seal?${HOW}`)).toEqual({
      ...{ names: { token: 'procura' }, object: 'seal' },
      ...{ modulePath: '/usr/lib/p11.so', pinFile: '/run/pin' },
    })
    const full =
      'pkcs11:object=the%20seal;type=secret-key;serial=4711;model=v2;manufacturer=A%3BB' +
      '?pin-source=file:///run/my%20pin&module-path=/usr/lib/p11.so'
    expect(readSealUri(full)).toEqual({
      ...{ names: { serial: '4711', model: 'v2', manufacturer: 'A;B' }, object: 'the seal' },
      ...{ modulePath: '/usr/lib/p11.so', pinFile: '/run/my pin' },
    })
  })

  it.each([
    ['no such URI', 'PKCS11-SECRET'],
    ['without a token', `pkcs11:object=seal?${HOW}`],
    ['without a key', `pkcs11:token=procura?${HOW}`],
    ['without a library', 'pkcs11:token=a;object=seal?pin-source=/run/pin'],
    ['without a PIN', 'pkcs11:token=a;object=seal?module-path=/usr/lib/p11.so'],
    ['with the PIN in it', `pkcs11:token=a;object=seal?${HOW}&pin-value=SECRET`],
    ['with a program for a PIN', `pkcs11:token=a;object=seal?module-path=/p&pin-source=%7CSECRET`],
    [
      'with a PIN from elsewhere',
      `pkcs11:token=a;object=b?module-path=/p&pin-source=file://host/x`,
    ],
    ['with a library by its name', `pkcs11:token=a;object=seal?${HOW}&module-name=p11`],
    ['of one key by its id', `pkcs11:token=a;object=seal;id=%01?${HOW}`],
    ['of a slot by its number', `pkcs11:token=a;object=seal;slot-id=1?${HOW}`],
    ['of a private key', `pkcs11:token=a;object=seal;type=private?${HOW}`],
    ['that says it twice', `pkcs11:token=a;token=b;object=seal?${HOW}`],
    ['that is badly encoded', `pkcs11:token=%ZZ;object=seal?${HOW}`],
    ['with a relative path', 'pkcs11:token=a;object=seal?module-path=p11.so&pin-source=/run/pin'],
  ])('%s is refused, and nothing of it is quoted', (_what, text) => {
    const read = () => loadConfig({ PROCURA_SEAL: text })
    expect(read).toThrow(ConfigError)
    expect(read).toThrow(/^PROCURA_SEAL: /)
    expect(read).not.toThrow('SECRET')
  })

  it('is of the delivering side: with PROCURA_ROLE=pdp it is refused', () => {
    const seal = `pkcs11:token=procura;object=seal?${HOW}`
    expect(() => loadConfig({ PROCURA_SEAL: seal, PROCURA_ROLE: 'pdp' })).toThrow('PROCURA_SEAL')
    expect(loadConfig({ PROCURA_SEAL: seal }).config.sealToken).toMatchObject({ object: 'seal' })
    expect(loadConfig({}).config.sealToken).toBeNull()
  })
})
