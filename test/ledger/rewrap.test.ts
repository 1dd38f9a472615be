import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/domain/secret.ts'
import { rewrapPayloads } from '../../src/ledger/rewrap.ts'
import { createSealer, type Sealer } from '../../src/ledger/sealed.ts'
import { aKey } from '../delivery/bench.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

async function put({ query }: TestDatabase, sealer: Sealer, ids: readonly string[]) {
  for (const id of ids) {
    const { row } = sealer.seal(id, { name: id })
    await query(
      `insert into procura.sealed_payload (tenant, id, wrapped_key, nonce, ciphertext)
       values ('main', $1, $2, $3, $4)`,
      [id, row.wrappedKey, row.nonce, row.ciphertext],
    )
  }
}

async function open({ query }: TestDatabase, sealer: Sealer): Promise<unknown[]> {
  const rows = await query<{ id: string; wrappedKey: Buffer; nonce: Buffer; ciphertext: Buffer }>(
    `select id, wrapped_key as "wrappedKey", nonce, ciphertext from procura.sealed_payload order by id`,
  )
  return rows.map((row) => sealer.open(row)['name'])
}

async function aHouse() {
  const db = await freshDatabase()
  const [newer, older] = [aKey(), aKey()]
  const [before, after, both] = [older, newer, `${newer}\n${older}`].map((text) =>
    createSealer(new Secret(text)),
  ) as [Sealer, Sealer, Sealer]
  const ids = Array.from({ length: 25 }, (_, n) => `evt_${String(n).padStart(2, '0')}`)
  await put(db, before, ids)
  const rewrap = (more: object = {}) =>
    rewrapPayloads({
      ...{ tenant: 'main', pool: db.pool('procura_owner'), sealer: both, batch: 10, ...more },
    })
  return { db, before, after, both, ids, rewrap }
}

describe('what identifies people', () => {
  it('is wrapped anew to the last, and then the old seal opens none of it', async () => {
    const { db, before, after, ids, rewrap } = await aHouse()
    const told: number[] = []
    const progress = (done: number) => told.push(done)
    expect(await rewrap({ progress })).toEqual({ done: 25, closed: 0 })
    expect(told).toEqual([10, 20, 25])
    expect(await open(db, after)).toEqual(ids)
    await expect(open(db, before)).rejects.toThrow()
    expect(await rewrap()).toEqual({ done: 0, closed: 0 })
  })

  it('opens throughout, and a pass that was cut off is taken up by the next', async () => {
    const { db, both, ids, rewrap } = await aHouse()
    const progress = () => {
      throw new Error('cut off')
    }
    await expect(rewrap({ progress })).rejects.toThrow('cut off')
    expect(await open(db, both)).toEqual(ids)
    expect(await rewrap()).toEqual({ done: 15, closed: 0 })
  })

  it('is done once when two passes run beside each other', async () => {
    const { db, after, ids, rewrap } = await aHouse()
    const passes = await Promise.all([rewrap({ batch: 3 }), rewrap({ batch: 4 })])
    expect(passes[0].done + passes[1].done).toBe(25)
    expect(await open(db, after)).toEqual(ids)
  })

  it('that opens under no key is counted and left as it is, and keeps no other from being done', async () => {
    const { db, rewrap } = await aHouse()
    await put(db, createSealer(new Secret(aKey())), ['evt_03_of_another'])
    expect(await rewrap()).toEqual({ done: 25, closed: 1 })
  })

  it('is not for any role that serves', async () => {
    const { db, rewrap } = await aHouse()
    for (const role of ['procura_front', 'procura_pdp', 'procura_cdp'] as const) {
      await expect(rewrap({ pool: db.pool(role) })).rejects.toMatchObject({
        cause: { code: '42501' },
      })
    }
  })
})
