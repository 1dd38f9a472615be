import { describe, expect, it } from 'vitest'
import { createVault } from '../../src/delivery/seal.ts'
import { Secret } from '../../src/domain/secret.ts'
import { freshDatabase } from '../pg/database.ts'
import { aKey } from './bench.ts'

async function aVault(tenant = 'main') {
  const db = await freshDatabase()
  const key = new Secret(aKey())
  const pool = db.pool('procura_cdp')
  return { db, key, pool, vault: createVault({ tenant, pool, key }) }
}
const reveal = (secret: Secret) => Promise.resolve(secret.reveal())

describe('the vault', () => {
  it('opens for one operation what was stored, and stores anew in its place', async () => {
    const { vault, db } = await aVault()
    await vault.store('orders', new Secret('first'))
    expect(await vault.use('orders', reveal)).toBe('first')
    await vault.store('orders', new Secret('second'))
    expect(await vault.use('orders', reveal)).toBe('second')
    const dump = await db.query<{ row: string }>(
      `select encode(ciphertext, 'escape') || key_version as row from procura.connector_secret`,
    )
    expect(dump).toHaveLength(1)
    expect(dump[0]?.row).not.toContain('second')
  })

  it('uses another nonce each time', async () => {
    const { vault, db } = await aVault()
    const nonce = async () => await db.query('select nonce from procura.connector_secret')
    await vault.store('orders', new Secret('same'))
    const first = await nonce()
    await vault.store('orders', new Secret('same'))
    expect(await nonce()).not.toEqual(first)
  })

  it.each([
    [
      'copied to another target',
      `update procura.connector_secret set target = 'payments'`,
      'payments',
    ],
    [
      'altered',
      `update procura.connector_secret set ciphertext = set_byte(ciphertext, 0,
                   get_byte(ciphertext, 0) # 1)`,
      'orders',
    ],
    [
      'cut short',
      `update procura.connector_secret set ciphertext = substr(ciphertext, 2)`,
      'orders',
    ],
  ])('does not open a row that was %s', async (_what, sql, target) => {
    const { vault, db } = await aVault()
    await vault.store('orders', new Secret('secret'))
    expect(await vault.use('orders', reveal)).toBe('secret')
    await db.query(sql)
    await expect(vault.use(target, reveal)).rejects.toThrow()
  })

  it('does not open what another tenant stored, or another key', async () => {
    const { vault, db, pool, key } = await aVault()
    await vault.store('orders', new Secret('secret'))
    const otherKey = createVault({ tenant: 'main', pool, key: new Secret(aKey()) })
    await expect(otherKey.use('orders', reveal)).rejects.toMatchObject({ code: 'unavailable' })
    await db.query(`update procura.connector_secret set tenant = 'other'`)
    const otherTenant = createVault({ tenant: 'other', pool, key })
    await expect(otherTenant.use('orders', reveal)).rejects.toThrow()
  })

  it('refuses a key that is not 32 octets', async () => {
    const { pool } = await aVault()
    const make = () => createVault({ tenant: 'main', pool, key: new Secret('short') })
    expect(make).toThrow(TypeError)
  })

  it('[WAL-02] is closed to the deciding side and to the front', async () => {
    const { db, vault } = await aVault()
    await vault.store('orders', new Secret('secret'))
    for (const role of ['procura_pdp', 'procura_front', 'procura_verify'] as const) {
      await expect(
        db.pool(role).query('select ciphertext from procura.connector_secret'),
      ).rejects.toMatchObject({ code: '42501' })
    }
  })

  it('[WAL-03] and leases are all that the delivering side has', async () => {
    const { pool } = await aVault()
    for (const sql of [
      'select from procura.consent',
      'select from procura.approval',
      'update procura.budget set used = 0',
      'insert into procura.decision default values',
    ]) {
      await expect(pool.query(sql)).rejects.toMatchObject({ code: '42501' })
    }
  })
})
