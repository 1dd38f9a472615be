import { describe, expect, it } from 'vitest'
import { leafHash, type Place } from '../../src/ledger/merkle.ts'
import { nodesOf } from '../../src/ledger/tree.ts'
import { freshDatabase } from '../pg/database.ts'

describe('the stored tree', () => {
  it('gives nodes in the order they were asked for, and throws for one that is missing', async () => {
    const db = await freshDatabase()
    for (const n of [0, 1, 2]) {
      await db.query(
        `insert into ledger.leaf (tenant, index, event_id, event_type, entry, hash)
         values ('main', $1, $2, 'test', $2, sha256('\\x00' || convert_to($2, 'UTF8')))`,
        [n, String(n)],
      )
    }
    const fetch = nodesOf(db.pool('procura_front'), 'main')
    const place = (index: number): Place => ({ level: 0, index })
    const hashes = await fetch([place(2), place(0)])
    expect(hashes.map((hash) => Buffer.from(hash))).toEqual([leafHash('2'), leafHash('0')])
    await expect(fetch([place(3)])).rejects.toThrow('missing')
    await expect(fetch([{ level: 1, index: 0 }])).rejects.toThrow('missing')
  })
})
