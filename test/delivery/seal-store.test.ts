import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadModule } from '../../src/pkcs11/module.ts'
import { readSealUri } from '../../src/pkcs11/uri.ts'
import { Secret } from '../../src/domain/secret.ts'
import { loadDeliverySeal } from '../../src/keys.ts'
import { tokenSeal } from '../../src/delivery/token-seal.ts'
import { openSealStore, sealStore } from '../../src/seal-store.ts'
import { openAt, tokenOf } from '../../src/token.ts'
import { aSoftHsm, PIN, type SoftHsm, whyNoSoftHsm } from '../parts/softhsm.ts'
import { aKey } from './bench.ts'

const hsm = whyNoSoftHsm === null ? await aSoftHsm() : null
const keysDir = mkdtempSync(join(tmpdir(), 'procura-seal-'))
afterAll(() => {
  hsm?.end()
  rmSync(keysDir, { recursive: true, force: true })
})
const why = whyNoSoftHsm === null ? '' : `, not run: ${whyNoSoftHsm}`
const at = (version: string) => Buffer.from(version)
const uriOf = (object: string) => (hsm as SoftHsm).uri(object)

describe.skipIf(hsm === null)(`the seal that is configured${why}`, () => {
  it('is in the token, and what a file wrapped before stays open while the file is there', async () => {
    const [sealKey, sealToken] = [new Secret(aKey()), readSealUri(uriOf('after'))]
    const before = sealStore({ keysDir, sealKey }, sealKey, null)
    const plain = randomBytes(32)
    const wrapped = await before.wrap(plain, at)
    await tokenSeal(openAt(sealToken), sealToken.object).rotate(new Date())

    const both = await openSealStore({ keysDir, sealKey, sealToken })
    expect(await both.unwrap(wrapped, at)).toEqual(plain)
    const anew = await both.wrap(plain, at)
    expect(anew.version).toMatch(/^token-/)
    await expect(before.unwrap(anew, at)).rejects.toMatchObject({ code: 'unavailable' })

    const alone = await openSealStore({ keysDir, sealKey: null, sealToken })
    expect(await alone.unwrap(anew, at)).toEqual(plain)
    await expect(alone.unwrap(wrapped, at)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('needs its file where no token is named, and a file that can be read where there is one', async () => {
    await expect(openSealStore({ keysDir, sealKey: null })).rejects.toThrow('procura keys create')
    const sealToken = readSealUri(uriOf('file'))
    expect(await loadDeliverySeal(keysDir, { sealToken })).toBeNull()
    writeFileSync(join(keysDir, 'seal.key'), 'nonsense')
    await expect(loadDeliverySeal(keysDir, { sealToken })).rejects.toThrow('seal.key')
    rmSync(join(keysDir, 'seal.key'))
  })

  it('that cannot be used is told in a sentence, and the PIN in none', async () => {
    const pin = join(keysDir, 'pin')
    const uri = uriOf('told').replace(/file:.*$/, `file:${pin}`)
    const warnings: string[] = []
    const told = async (from = '', to = '') => {
      const sealToken = readSealUri(uri.replace(from, to))
      const open = tokenOf({ sealToken }, (text) => warnings.push(text))
      return await openSealStore({ keysDir, sealKey: null, sealToken }, open?.using).then(
        () => 'fine',
        (error: unknown) => (error instanceof Error ? error.message : ''),
      )
    }
    expect(await told()).toBe(`the PIN of the token cannot be read: ${pin} (ENOENT)`)
    await (await loadModule((hsm as SoftHsm).library)).restart() // Nobody is logged in.
    writeFileSync(pin, `0${PIN}`, { mode: 0o600 })
    expect(await told()).toMatch(/^the token refused the PIN, which is not tried again/)
    expect(await told('libsofthsm2', 'nothing')).toMatch(/nothing\.so is not a PKCS #11 library/)
    writeFileSync(pin, PIN)
    expect(await told('token=procura', 'token=other')).toBe('the token that is named is not there')
    expect(await told()).toBe('the token has no key told: procura keys rotate seal')
    expect(warnings).toEqual([])
    chmodSync(pin, 0o644)
    expect(await told()).not.toContain(PIN)
    expect(warnings).toEqual([`${pin} can be read by others on this machine: chmod 600 it`])
  })
})
