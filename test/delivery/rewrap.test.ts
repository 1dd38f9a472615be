import { spawn } from 'node:child_process'
import { createCipheriv, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openedRow, sealedRow, type SealedRow } from '../../src/delivery/envelope.ts'
import { fileKeyStore, versionOf } from '../../src/delivery/key-store.ts'
import { rewrapSecrets } from '../../src/delivery/rewrap.ts'
import { createVault, type Vault } from '../../src/delivery/seal.ts'
import { canonical } from '../../src/domain/json.ts'
import { Secret } from '../../src/domain/secret.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'
import { askedFor } from './asked-for.ts'
import { aKey, until } from './bench.ts'

/** `count` targets, each with a secret under the first seal; a second seal; and a broker that runs on. */
async function aHouse(count: number) {
  const db = await freshDatabase()
  const before = aKey()
  const both = `${aKey()}\n${before}`
  const file = { text: before }
  const pool = db.pool('procura_cdp')
  const options = { tenant: 'main', pool, looks: false }
  const keys = fileKeyStore(new Secret(before), () => Promise.resolve(new Secret(file.text)))
  const running = createVault({ ...options, keys })
  const targets = Array.from({ length: count }, (_, n) => `target-${String(n)}`)
  for (const target of targets) await running.store(target, new Secret(`of ${target}`))
  return {
    ...{ db, before, both, file, running, targets },
    rotated: createVault({ ...options, keys: fileKeyStore(new Secret(both)) }),
    rewrap: (more: object = {}) =>
      rewrapSecrets({
        ...{ tenant: 'main', pool: db.pool('procura_owner'), ...more },
        keys: fileKeyStore(new Secret(both)),
      }),
  }
}
type House = Awaited<ReturnType<typeof aHouse>>

const versions = async ({ db }: House) =>
  await db.query<{ key_version: string; count: number }>(
    'select key_version, count(*)::int from procura.connector_secret group by 1 order by 2',
  )
async function allOpen({ db, targets }: House, vault: Vault): Promise<void> {
  for (const target of targets) {
    const lease = await askedFor(db, target)
    const opened = await vault.use(target, (secret) => Promise.resolve(secret.reveal()), lease)
    expect(opened).toBe(`of ${target}`)
  }
}
const current = ({ both }: House) => fileKeyStore(new Secret(both)).current()

describe('wrapping anew', () => {
  it('ends where the seal changed again while it went on', async () => {
    const house = await aHouse(3)
    const keys = fileKeyStore(new Secret(house.both))
    let asked = 0
    const older = () => ((asked += 1) === 1 ? Promise.resolve('older') : keys.current())
    const progress = (done: number) => {
      if (done > 3) throw new Error('it goes on and on')
    }
    const rewrapped = rewrapSecrets({
      ...{ tenant: 'main', pool: house.db.pool('procura_owner'), progress },
      keys: { ...keys, current: older },
    })
    expect(await rewrapped).toBe(3)
  })

  it('puts every key under the new seal, and leaves what it seals as it is', async () => {
    const house = await aHouse(7)
    const sealed = () =>
      house.db.query('select nonce, ciphertext from procura.connector_secret order by target')
    const unchanged = await sealed()
    const told: number[] = []
    expect(await house.rewrap({ batch: 3, progress: (done: number) => told.push(done) })).toBe(7)
    expect(told).toEqual([3, 6, 7])
    expect(await versions(house)).toEqual([{ key_version: await current(house), count: 7 }])
    expect(await sealed()).toEqual(unchanged)
    await allOpen(house, house.rotated)
    expect(await house.rewrap()).toBe(0)

    const [first = ''] = house.both.split('\n')
    const options = { tenant: 'main', pool: house.db.pool('procura_cdp'), looks: false }
    const alone = createVault({ ...options, keys: fileKeyStore(new Secret(first)) })
    await allOpen(house, alone) // The old key can go.
  })

  it('puts tokens that are kept under the new seal too, and leaves them as they are', async () => {
    const house = await aHouse(2)
    const place = { tenant: 'main', target: 'target-1', of: 'token' } as const
    const before = fileKeyStore(new Secret(house.before))
    const kept = await sealedRow(before, place, Buffer.from('kept'))
    await house.db.query(
      `insert into procura.target_token (tenant, target, secret_nonce, key_version, wrapped_key, nonce, ciphertext)
       select tenant, target, nonce, $1, $2, $3, $4 from procura.connector_secret where target = 'target-1'`,
      [kept.key_version, kept.wrapped_key, kept.nonce, kept.ciphertext],
    )
    await house.db.query(
      `insert into procura.target_token (tenant, target, secret_nonce) values ('main', 'target-0', '')`,
    )
    expect(await house.rewrap()).toBe(3)
    expect(await house.rewrap()).toBe(0)
    const [row] = await house.db.query<SealedRow & Record<string, unknown>>(
      `select t.* from procura.target_token t join procura.connector_secret s
       on s.target = t.target and s.nonce = t.secret_nonce`,
    )
    const [first = ''] = house.both.split('\n')
    const alone = fileKeyStore(new Secret(first)) // The old key can go.
    if (row === undefined) throw new Error('it is not there any more')
    expect((await openedRow(alone, place, row)).toString()).toBe('kept')
    const moved = { tenant: 'main', target: 'target-1' }
    await expect(openedRow(alone, moved, row)).rejects.toThrow()
  })

  it('that was killed leaves every secret to be opened, and goes on where it was', async () => {
    const house = await aHouse(60)
    const script = fileURLToPath(new URL('./rewrap-process.ts', import.meta.url))
    const child = spawn(process.execPath, [script, house.db.url, house.both], { stdio: 'pipe' })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    expect(said.toString()).toMatch(/^1\n/)
    child.kill('SIGKILL')
    expect(await once(child, 'close')).toEqual([null, 'SIGKILL'])
    const between = await versions(house)
    expect(between).toHaveLength(2)
    await allOpen(house, house.rotated)
    const left = between.find(({ key_version }) => key_version === versionOfText(house.before))
    expect(await house.rewrap()).toBe(left?.count)
    expect(await versions(house)).toEqual([{ key_version: await current(house), count: 60 }])
  })

  it('loses none of what is opened meanwhile, by a broker that knows the old seal only', async () => {
    const house = await aHouse(10)
    const leases = await Promise.all(house.targets.map((target) => askedFor(house.db, target)))
    const state = { isOver: false, opened: 0 }
    const openings = Array.from({ length: 50 }, async (_, n) => {
      const target = house.targets[n % 10] ?? ''
      do {
        const work = (secret: Secret) => Promise.resolve(secret.reveal())
        expect(await house.running.use(target, work, leases[n % 10] ?? '')).toBe(`of ${target}`)
        state.opened += 1
      } while (!state.isOver)
    })
    await until(() => Promise.resolve(state.opened > 50))
    house.file.text = house.both // The file comes first, and then the rows.
    expect(await house.rewrap({ batch: 1 })).toBe(10)
    const before = state.opened
    await until(() => Promise.resolve(state.opened > before + 100))
    state.isOver = true
    await Promise.all(openings)
    await allOpen(house, house.running)
  })

  it('beside itself, and beside whoever stores a secret, overwrites nothing that is newer', async () => {
    const house = await aHouse(30)
    const stored = house.targets.map((target) =>
      house.running.store(target, new Secret(`of ${target}`)),
    )
    const counts = await Promise.all([house.rewrap({ batch: 2 }), house.rewrap({ batch: 3 })])
    await Promise.all(stored)
    await house.rewrap()
    expect(counts[0] + counts[1]).toBeGreaterThan(0)
    expect(await versions(house)).toEqual([{ key_version: await current(house), count: 30 }])
    await allOpen(house, house.rotated)
  })

  it('leaves alone what was stored anew between its reading and its writing, and looks again', async () => {
    const house = await aHouse(1)
    const pool = house.db.pool('procura_owner')
    let stored = 0
    const slow = {
      query: async (asked: { text: string }) => {
        if (asked.text.startsWith('update') && stored === 0) {
          stored += 1
          await house.running.store('target-0', new Secret('of target-0, changed'))
        }
        return await pool.query(asked)
      },
    }
    expect(await house.rewrap({ pool: slow })).toBe(1)
    const lease = await askedFor(house.db, 'target-0')
    const reveal = (secret: Secret) => Promise.resolve(secret.reveal())
    expect(await house.rotated.use('target-0', reveal, lease)).toBe('of target-0, changed')
    expect(await versions(house)).toEqual([{ key_version: await current(house), count: 1 }])
  })

  it('opens and wraps what was sealed before there were keys of their own', async () => {
    const house = await aHouse(1)
    await sealAsBefore(house.db, house.before, 'old', 'of old')
    const old = { ...house, targets: ['old', ...house.targets] }
    await allOpen(old, house.running)
    expect(await house.rewrap()).toBe(2)
    await allOpen(old, house.rotated)
    const [row] = await house.db.query(
      `select wrapped_key is null as bare from procura.connector_secret where target = 'old'`,
    )
    expect(row).toEqual({ bare: false })
  })

  it('stops at a row that does not open, says which, and quotes nothing', async () => {
    const house = await aHouse(2)
    await house.db.query(
      `update procura.connector_secret set wrapped_key = ciphertext where target = 'target-1'`,
    )
    await expect(house.rewrap()).rejects.toThrow('The secret of target-1 does not open')
    expect(await versions(house)).toHaveLength(2)
  })

  it('is for the owner: no role that serves can', async () => {
    const house = await aHouse(1)
    for (const role of ['procura_cdp', 'procura_reaper', 'procura_front'] as const) {
      await expect(house.rewrap({ pool: house.db.pool(role) })).rejects.toMatchObject({
        cause: { code: '42501' },
      })
    }
  })
})

const versionOfText = (text: string) => versionOf(Buffer.from(text, 'base64url'))

/** A row as it was written until now: the seal itself sealed the secret. */
async function sealAsBefore(
  { query }: TestDatabase,
  key: string,
  target: string,
  text: string,
): Promise<void> {
  const [nonce, version] = [randomBytes(12), versionOfText(key)]
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'base64url'), nonce)
  cipher.setAAD(Buffer.from(canonical(['main', target, 'ciphertext', version])))
  const sealed = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()])
  await query(
    `insert into procura.connector_secret (tenant, target, key_version, nonce, ciphertext)
     values ('main', $1, $2, $3, $4)`,
    [target, version, nonce, sealed],
  )
}
