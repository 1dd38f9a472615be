import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { freshDatabase } from '../pg/database.ts'
import { aFolder, procura } from './run.ts'

const PASSWORD = 'canary-password-of-the-target'
const TRUST = `
targets:
  orders-db:
    connector: postgres
    host: orders.internal
    database: orders
    admin_user: procura_orders
    group_roles: [orders_read]
`

it('a new seal is made, what is stored is put under it, and nothing of either is printed', async () => {
  const { url, query } = await freshDatabase()
  const [keys, trust] = [aFolder(), join(aFolder(), 'trust.yaml')]
  writeFileSync(trust, TRUST)
  const env = { DATABASE_URL: url, PROCURA_KEYS: keys, PROCURA_TRUST: trust }
  const printed: string[] = []
  const run = async (args: readonly string[], input = '') => {
    const { code, stdout, stderr } = await procura(args, { env, input })
    printed.push(stdout, stderr)
    expect(code, stderr).toBe(0)
    return stdout
  }
  const version = async () => await query('select key_version from procura.connector_secret')

  await run(['keys', 'create'])
  await run(['target', 'secret', 'orders-db'], `${PASSWORD}\n`)
  const before = await version()
  await run(['keys', 'rotate', 'seal'])
  expect(await version()).toEqual(before)
  expect(await run(['keys', 'rewrap'])).toContain('targets    1 wrapped anew')
  expect(await version()).not.toEqual(before)
  expect(await run(['keys', 'rewrap'])).toContain('targets    0 wrapped anew')

  const lines = readFileSync(join(keys, 'seal.key'), 'utf8').trim().split('\n')
  expect(lines).toHaveLength(2)
  for (const secret of [...lines, 'canary']) expect(printed.join('\n')).not.toContain(secret)
}, 120_000)

it('a seal from the environment is rotated there, and where nothing is stored nothing is wrapped', async () => {
  const { url } = await freshDatabase()
  const keys = aFolder()
  const env = { DATABASE_URL: url, PROCURA_KEYS: keys }
  const seal = Buffer.alloc(32, 7).toString('base64url')
  const refused = await procura(['keys', 'rotate', 'seal'], {
    env: { ...env, PROCURA_SEAL_KEY: seal },
  })
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('PROCURA_SEAL_KEY')
  const both = `${Buffer.alloc(32, 8).toString('base64url')},${seal}`
  const { code, stdout } = await procura(['keys', 'rewrap'], {
    env: { ...env, PROCURA_SEAL_KEY: both },
  })
  expect(stdout).toContain('0 wrapped anew')
  expect(code).toBe(0)
})
