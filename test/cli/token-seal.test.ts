import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { manifest } from '../lines/lockfile.ts'
import { aSoftHsm, PIN, whyNoSoftHsm } from '../parts/softhsm.ts'
import { freshDatabase } from '../pg/database.ts'
import { aFolder, procura } from './run.ts'

vi.setConfig({ testTimeout: 120_000 })
const TRUST = `
targets:
  orders-db:
    connector: postgres
    host: orders.internal
    database: orders
    admin_user: procura_orders
    group_roles: [orders_read]
`
const WITHOUT_KOFFI = `import { registerHooks } from 'node:module'
registerHooks({ resolve(name, context, next) {
  if (name === 'koffi') throw Object.assign(new Error('it is not there'), { code: 'ERR_MODULE_NOT_FOUND' })
  return next(name, context)
} })`

interface How {
  readonly of?: Readonly<Record<string, string>>
  readonly input?: string
  readonly code?: number
}

const hsm = whyNoSoftHsm === null ? await aSoftHsm() : null
afterAll(() => hsm?.end())
const why = whyNoSoftHsm === null ? '' : `, not run: ${whyNoSoftHsm}`

describe.skipIf(hsm === null)(`a seal in a token${why}`, () => {
  it('takes over from the file, is rotated there, and nothing of it is printed', async () => {
    const { url, query } = await freshDatabase()
    const [keys, trust] = [aFolder(), join(aFolder(), 'trust.yaml')]
    writeFileSync(trust, TRUST)
    const inFile = { DATABASE_URL: url, PROCURA_KEYS: keys, PROCURA_TRUST: trust }
    const env = { ...inFile, ...hsm?.env, PROCURA_SEAL: hsm?.uri('seal') ?? '' }
    const printed: string[] = []
    const run = async (args: readonly string[], how: How = {}) => {
      const { code = 0, of = env, input = '' } = how
      const ran = await procura(args, { env: of, input })
      printed.push(ran.stdout, ran.stderr)
      expect(ran.code, ran.stderr).toBe(code)
      return ran.stdout + ran.stderr
    }
    const version = async () => {
      const [row] = await query<{ it: string }>(
        'select key_version as it from procura.connector_secret',
      )
      return row?.it ?? ''
    }
    const password = { input: 'canary-password-of-the-target\n' }
    await run(['keys', 'create'], { of: inFile })
    await run(['target', 'secret', 'orders-db'], { ...password, of: inFile })
    expect(await version()).not.toMatch(/^token-/)

    expect(await run(['target', 'secret', 'orders-db'], { ...password, code: 1 })).toContain(
      'procura keys rotate seal',
    )
    const [, first = ''] =
      /^made +(token-\S+), in the token$/m.exec(await run(['keys', 'rotate', 'seal'])) ?? []
    expect(await run(['keys', 'rewrap'])).toContain('targets    1 wrapped anew')
    expect(await version()).toBe(first)
    await run(['keys', 'rotate', 'seal'])
    expect(await version()).toBe(first)
    expect(await run(['keys', 'rewrap'])).toContain('targets    1 wrapped anew')
    expect((await version()) > first).toBe(true)
    const check = await procura(['config', 'check'], { env })
    printed.push(check.stdout, check.stderr)
    expect(check.stdout).toMatch(/^ok +keys$/m)

    const lines = readFileSync(join(keys, 'seal.key'), 'utf8').trim().split('\n')
    for (const secret of [...lines, PIN, 'canary']) expect(printed.join('\n')).not.toContain(secret)
  })
})

it('a seal in a token asks for the package that it needs; whoever has none does without', async () => {
  const hook = `data:text/javascript,${encodeURIComponent(WITHOUT_KOFFI)}`
  const env = { PROCURA_KEYS: aFolder(), NODE_OPTIONS: `--import=${hook}` }
  expect((await procura(['keys', 'create'], { env })).code).toBe(0)
  expect((await procura(['keys', 'rotate', 'seal'], { env })).code).toBe(0)
  const seal = 'pkcs11:token=procura;object=seal?module-path=/usr/lib/p11.so&pin-source=/run/pin'
  const { stderr, code } = await procura(['keys', 'rotate', 'seal'], {
    env: { ...env, PROCURA_SEAL: seal },
  })
  expect(code).toBe(1)
  const { koffi = '' } = manifest().optionalDependencies
  expect(stderr).toContain(`a key in a token needs the package koffi: npm install koffi@${koffi}\n`)
})
