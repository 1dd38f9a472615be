import { beforeAll, describe, expect, it } from 'vitest'
import { fileKeyStore } from '../../src/delivery/key-store.ts'
import { createVault, NotAskedFor } from '../../src/delivery/seal.ts'
import { newId } from '../../src/domain/ids.ts'
import { Secret } from '../../src/domain/secret.ts'
import { askedFor } from '../delivery/asked-for.ts'
import { aKey, now } from '../delivery/bench.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

const TARGETS = ['orders', 'payments', 'people', 'payroll', 'lapsed', 'pending']
const LONG_AGO = new Date(Date.now() - 400 * 86_400_000)
const OVER = { state: 'expired', endedAt: LONG_AGO, decidedAt: LONG_AGO } as const
const keys = fileKeyStore(new Secret(aKey()))
let db: TestDatabase

/** Code that runs with the roles and the keys of the delivering side, and does not keep to ours. */
function anAttacker(role: 'procura_cdp' | 'procura_reaper') {
  const pool = db.pool(role)
  const vault = createVault({ tenant: 'main', pool, keys, looks: role === 'procura_reaper' })
  return {
    query: async (sql: string, params: readonly unknown[] = []) =>
      (await pool.query<Record<string, unknown>>(sql, [...params])).rows,
    opens: (target: string, lease: string | null) =>
      vault.use(target, (secret) => Promise.resolve(secret.reveal()), lease),
  }
}

beforeAll(async () => {
  db = await freshDatabase()
  const pool = db.pool('procura_cdp')
  const vault = createVault({ tenant: 'main', pool, keys, looks: false })
  for (const target of TARGETS) await vault.store(target, new Secret(`of ${target}`))
})

describe('whoever runs as the delivering side, with its roles and its keys', () => {
  it.each(['procura_cdp', 'procura_reaper'] as const)(
    'reads no sealed row, as %s, but of what was asked for',
    async (role) => {
      const attacker = anAttacker(role)
      for (const sql of [
        'select * from procura.connector_secret',
        'select ciphertext from procura.connector_secret',
        'select wrapped_key from procura.connector_secret',
        'copy procura.connector_secret to stdout',
        'create temporary table t as select * from procura.connector_secret',
        'select from procura.connector_secret where ciphertext is not null',
        'update procura.connector_secret set updated_at = now() returning ciphertext',
        `update procura.connector_secret set key_version = encode(ciphertext, 'hex')`,
        `insert into procura.connector_secret (tenant, target, key_version, nonce, ciphertext)
         values ('main', 'orders', '', decode(repeat('00', 12), 'hex'), '') on conflict (tenant, target)
         do update set key_version = encode(procura.connector_secret.ciphertext, 'hex')`,
        `insert into procura.allowed_at values ('main', 'payroll', now())`,
        'select at from procura.allowed_at',
        `insert into procura.decision default values`,
      ]) {
        await expect(attacker.query(sql), sql).rejects.toMatchObject({ code: '42501' })
      }
      expect(
        await attacker.query('select target from procura.connector_secret order by 1'),
      ).toHaveLength(TARGETS.length)
    },
  )

  it('opens the one that a lease needs, and no other with it', async () => {
    const attacker = anAttacker('procura_cdp')
    const lease = await askedFor(db, 'orders')
    expect(await attacker.opens('orders', lease)).toBe('of orders')
    for (const target of TARGETS.slice(1)) {
      await expect(attacker.opens(target, lease)).rejects.toThrow(NotAskedFor)
    }
    for (const nothing of [null, '', 'cb_', '%']) {
      await expect(attacker.opens('orders', nothing)).rejects.toThrow(NotAskedFor)
    }
  })

  it.each([
    ['that no decision is behind', { decides: null }],
    ['whose decision is for another target', { allowedAt: 'orders' }],
    ['whose decision is about another', { credential: newId('crd', now()) }],
    ['whose decision a gateway asked for', { instance: null }],
    ['whose decision was a no', { answer: 'deny' }],
    ['whose decision could not be made', { answer: 'none' }],
    ['that is over, and was decided long ago', OVER],
  ] as const)('opens nothing with a lease %s', async (_what, of) => {
    const attacker = anAttacker('procura_cdp')
    const made = await askedFor(db, 'payments', of)
    await expect(attacker.opens('payments', made)).rejects.toThrow(NotAskedFor)
    expect(await attacker.opens('payments', await askedFor(db, 'payments'))).toBe('of payments')
  })

  it.each([
    `ended_at = now()`,
    `ended_at = null`,
    `ended_at = 'infinity'`,
    `updated_at = now(), next_try_at = now(), claim = null, attempts = 0`,
    `confirmed_dead_at = null, end_reason = null, claimed_until = 'infinity'`,
  ])('opens nothing with a lease that is over, by %s', async (change) => {
    for (const role of ['procura_cdp', 'procura_reaper'] as const) {
      const attacker = anAttacker(role)
      const over = await askedFor(db, 'lapsed', OVER)
      await attacker.query(`update procura.lease set ${change} where downstream_name = $1`, [over])
      await expect(attacker.opens('lapsed', over)).rejects.toThrow(NotAskedFor)
      for (const revival of ["state = 'active'", "state = 'revoke_pending'"]) {
        await expect(
          attacker.query(`update procura.lease set ${revival} where downstream_name = $1`, [over]),
        ).rejects.toThrow('is final')
      }
    }
  })

  it('opens what a lease needs that is not confirmed to be over, for as long as that takes', async () => {
    const attacker = anAttacker('procura_reaper')
    const pending = await askedFor(db, 'pending', {
      ...{ state: 'revoke_pending', decidedAt: OVER.decidedAt },
    })
    await db.query(`delete from procura.allowed_at where target = 'pending'`)
    expect(await attacker.opens('pending', pending)).toBe('of pending')
    expect(await attacker.opens('pending', null)).toBe('of pending')
    await attacker.query(
      `update procura.lease set state = 'revoked', ended_at = now() where downstream_name = $1`,
      [pending],
    )
    for (const lease of [pending, null]) {
      await expect(attacker.opens('pending', lease)).rejects.toThrow(NotAskedFor)
    }
  })

  it('opens nothing with a lease that it writes itself', async () => {
    const attacker = anAttacker('procura_cdp')
    const forged = await askedFor(attacker, 'people', { decides: null })
    await expect(attacker.opens('people', forged)).rejects.toThrow(NotAskedFor)
    await expect(askedFor(attacker, 'people')).rejects.toMatchObject({ code: '42501' })
  })

  it('as the sweeper looks where something was given within eight days, and nowhere else', async () => {
    const attacker = anAttacker('procura_reaper')
    await askedFor(db, 'orders')
    expect(await attacker.opens('orders', null)).toBe('of orders')
    await expect(attacker.opens('payroll', null)).rejects.toThrow(NotAskedFor)
    await askedFor(db, 'people', { answer: 'deny' })
    await askedFor(db, 'people', { instance: null })
    await askedFor(attacker, 'payroll', { decides: null })
    for (const target of ['people', 'payroll']) {
      await expect(attacker.opens(target, null)).rejects.toThrow(NotAskedFor)
    }
    await db.query(
      `update procura.allowed_at set at = now() - interval '9 d' where target = 'orders'`,
    )
    await db.query(`update procura.lease set state = 'expired' where target = 'orders'`)
    await expect(attacker.opens('orders', null)).rejects.toThrow(NotAskedFor)
    // An allow of now makes it known again; one that is younger than an hour leaves the row alone.
    await askedFor(db, 'orders')
    expect(await attacker.opens('orders', null)).toBe('of orders')
  })

  it('reads no token that is kept, and asks for none, but for what was asked for', async () => {
    await db.query(`insert into procura.target_token (tenant, target, secret_nonce, key_version, nonce, ciphertext)
      select tenant, target, nonce, key_version, nonce, ciphertext from procura.connector_secret`)
    const attacker = anAttacker('procura_cdp')
    for (const sql of [
      'select * from procura.target_token',
      'select generation from procura.target_token',
      'update procura.target_token set claimed_until = null',
      `insert into procura.target_token (tenant, target, secret_nonce) values ('main', 'x', '')`,
      'delete from procura.target_token',
      `select nextval('procura.token_generation')`,
      `select procura.is_asked_for('main', 'orders', '')`,
    ]) {
      await expect(attacker.query(sql), sql).rejects.toMatchObject({ code: '42501' })
    }
    const one = await askedFor(db, 'orders', { state: 'active' })
    const rows = async (target: string, lease: string | null) => [
      ...(await attacker.query(READ, [target, lease])),
      ...(await attacker.query(BEGIN, [target, lease])),
    ]
    const forged = await askedFor(attacker, 'people', { decides: null })
    const over = await askedFor(db, 'payroll', OVER)
    for (const [target, lease] of [
      ...TARGETS.slice(1).map((target) => [target, one] as const),
      ...([
        ['people', forged],
        ['payroll', over],
        ['orders', null],
        ['orders', '%'],
      ] as const),
    ]) {
      expect(await rows(target, lease), target).toEqual([])
      for (const change of CHANGES) {
        const [done] = await attacker.query(change, [target, lease])
        expect(Object.values(done ?? {}), change).not.toContain(true)
      }
    }
    const touched = `claim is not null or failed_at is not null or ciphertext = '\\x00'`
    expect(await db.query(`select target from procura.target_token where ${touched}`)).toEqual([])
    expect((await rows('orders', one)).map(({ nonce }) => nonce)).toHaveLength(2)
  })

  it.each(['procura_reaper', 'procura_pdp', 'procura_front', 'procura_verify'] as const)(
    'as %s is given no token at all',
    async (role) => {
      const pool = db.pool(role, 1)
      const lease = await askedFor(db, 'orders', { state: 'active' })
      for (const sql of [READ, BEGIN, ...CHANGES]) {
        await expect(pool.query(sql, ['orders', lease]), sql).rejects.toMatchObject({
          code: '42501',
        })
      }
    },
  )
})

const READ = `select * from procura.sealed_token('main', $1, $2)`
const BEGIN = `select * from procura.begin_refresh('main', $1, $2, null, null, 's', 'mine', 60000)`
/** Each true where it has done it. */
const CHANGES = [
  `select procura.store_token('main', $1, $2, t.generation, 's', 1, 'v', null, decode(repeat('00', 12), 'hex'), '\\x00')
     is not null as done
   from generate_series(1, 40) t (generation)`,
  `select procura.end_refresh('main', $1, $2, 's', 'mine', 'over') as done`,
  `select procura.drop_token('main', $1, $2, t.generation, 0) as done
   from generate_series(1, 40) t (generation)`,
]
