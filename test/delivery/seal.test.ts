import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { fileKeyStore } from '../../src/delivery/key-store.ts'
import { createVault } from '../../src/delivery/seal.ts'
import { Secret } from '../../src/domain/secret.ts'
import { freshDatabase } from '../pg/database.ts'
import { askedFor } from './asked-for.ts'
import { aKey } from './bench.ts'

async function aVault(tenant = 'main') {
  const db = await freshDatabase()
  const key = new Secret(aKey())
  const keys = fileKeyStore(key)
  const pool = db.pool('procura_cdp')
  const vault = createVault({ tenant, pool, keys, looks: false })
  const reveal = (secret: Secret) => Promise.resolve(secret.reveal())
  const lease = await askedFor(db, 'orders')
  const read = (target = 'orders', of = lease, from = vault) => from.use(target, reveal, of)
  return { db, key, keys, pool, vault, lease, read }
}

describe('the vault', () => {
  it('opens for one operation what was stored, and stores anew in its place', async () => {
    const { vault, db, read } = await aVault()
    await vault.store('orders', new Secret('first'))
    expect(await read()).toBe('first')
    await vault.store('orders', new Secret('second'))
    expect(await read()).toBe('second')
    const dump = await db.query<{ row: string }>(
      `select encode(ciphertext, 'escape') || key_version as row from procura.connector_secret`,
    )
    expect(dump).toHaveLength(1)
    expect(dump[0]?.row).not.toContain('second')
  })

  it('uses another key and another nonce each time', async () => {
    const { vault, db } = await aVault()
    const row = async () =>
      await db.query('select nonce, wrapped_key, ciphertext from procura.connector_secret')
    await vault.store('orders', new Secret('same'))
    const first = await row()
    await vault.store('orders', new Secret('same'))
    const second = await row()
    for (const column of ['nonce', 'wrapped_key', 'ciphertext']) {
      expect(second[0]?.[column]).not.toEqual(first[0]?.[column])
    }
  })

  const flipped = (column: string) =>
    `update procura.connector_secret
     set ${column} = set_byte(${column}, 0, get_byte(${column}, 0) # 1)`
  it.each([
    [
      'copied to another target',
      `update procura.connector_secret set target = 'payments'`,
      'payments',
    ],
    ['altered', flipped('ciphertext'), 'orders'],
    ['altered in its key', flipped('wrapped_key'), 'orders'],
    [
      'cut short',
      `update procura.connector_secret set ciphertext = substr(ciphertext, 2)`,
      'orders',
    ],
    [
      'moved to another column',
      `update procura.connector_secret set ciphertext = substr(wrapped_key, 13),
         nonce = substr(wrapped_key, 1, 12), wrapped_key = null`,
      'orders',
    ],
  ])('does not open a row that was %s', async (_what, sql, target) => {
    const { vault, db, read } = await aVault()
    await vault.store('orders', new Secret('secret'))
    expect(await read()).toBe('secret')
    await db.query(sql)
    await expect(read(target, await askedFor(db, target))).rejects.toThrow(/authenticate/)
  })

  it('does not open a row that has the key of another', async () => {
    const { vault, db, read } = await aVault()
    await vault.store('orders', new Secret('secret'))
    await vault.store('payments', new Secret('other'))
    await db.query(`update procura.connector_secret a set wrapped_key = b.wrapped_key
                    from procura.connector_secret b where a.target = 'orders' and b.target = 'payments'`)
    await expect(read()).rejects.toThrow(/authenticate/)
  })

  it('does not open what another tenant stored, or another key', async () => {
    const { vault, db, pool, keys, lease, read } = await aVault()
    await vault.store('orders', new Secret('secret'))
    const other = { tenant: 'main', pool, keys: fileKeyStore(new Secret(aKey())), looks: false }
    await expect(read('orders', lease, createVault(other))).rejects.toMatchObject({
      code: 'unavailable',
    })
    await db.query(`update procura.connector_secret set tenant = 'other'`)
    const theirs = await askedFor(db, 'orders', { tenant: 'other' })
    const otherTenant = createVault({ tenant: 'other', pool, keys, looks: false })
    await expect(read('orders', theirs, otherTenant)).rejects.toThrow(/authenticate/)
  })

  it('opens with each key that the store has, and seals with the first', async () => {
    const { vault, db, pool, key, lease, read } = await aVault()
    await vault.store('orders', new Secret('before'))
    const both = fileKeyStore(new Secret(`${aKey()}\n${key.reveal()}\n`))
    const later = createVault({ tenant: 'main', pool, keys: both, looks: false })
    expect(await read('orders', lease, later)).toBe('before')
    await later.store('orders', new Secret('after'))
    expect(await read('orders', lease, later)).toBe('after')
    const versions = await db.query('select key_version from procura.connector_secret')
    expect(versions).toEqual([{ key_version: await both.current() }])
    await expect(read()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('looks again for a key that was added while it runs', async () => {
    const { vault, pool, key, lease, read } = await aVault()
    const file = { text: key.reveal() }
    const keys = fileKeyStore(key, () => Promise.resolve(new Secret(file.text)))
    const running = createVault({ tenant: 'main', pool, keys, looks: false })
    file.text = `${aKey()}\n${key.reveal()}`
    const rotated = fileKeyStore(new Secret(file.text))
    await createVault({ tenant: 'main', pool, keys: rotated, looks: false }).store(
      'orders',
      new Secret('new'),
    )
    expect(await read('orders', lease, running)).toBe('new')
    await expect(read('orders', lease, vault)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('refuses a key that is not 32 octets, and does not quote it', () => {
    for (const text of ['short', '', `${aKey()}\nshort`]) {
      expect(() => fileKeyStore(new Secret(text))).toThrow(TypeError)
      expect(() => fileKeyStore(new Secret(text))).not.toThrow('short')
    }
  })

  it('prints neither a secret nor a key', async () => {
    const { vault, key, lease, read } = await aVault()
    await vault.store('orders', new Secret('the secret'))
    const error = await vault
      .use('orders', () => Promise.reject(new Error('it went wrong')), lease)
      .catch((caught: unknown) => caught)
    const printed = inspect([vault, error, await read()], { depth: 9 }).replace("'the secret'", '')
    expect(printed).not.toContain('the secret')
    expect(printed).not.toContain(key.reveal())
  })

  it('[WAL-02] is closed to the deciding side and to the front', async () => {
    const { db, vault } = await aVault()
    await vault.store('orders', new Secret('secret'))
    for (const role of ['procura_pdp', 'procura_front', 'procura_verify'] as const) {
      for (const sql of [
        'select ciphertext from procura.connector_secret',
        `select from procura.sealed_secret('main', 'orders', '')`,
        `select from procura.sealed_secret_to_look('main', 'orders')`,
      ]) {
        await expect(db.pool(role).query(sql), sql).rejects.toMatchObject({ code: '42501' })
      }
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
