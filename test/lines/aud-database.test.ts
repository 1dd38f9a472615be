/** The log against those who can write to its database: our own roles, a superuser, an older backup. */
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { fromDatabase } from '../../src/cli/ledger-export.ts'
import type { LedgerEntry } from '../../src/domain/entry.ts'
import { bySystem } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { vkeyOf } from '../../src/ledger/checkpoint.ts'
import { createLog } from '../../src/ledger/log.ts'
import { openLog } from '../../src/ledger/opening.ts'
import { createReader } from '../../src/ledger/reader.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { createSigner } from '../../src/ledger/signer.ts'
import { verifyLedger } from '../../src/ledger/verify.ts'
import { freshDatabase, type TestDatabase } from '../pg/database.ts'

const ORIGIN = 'broker.example/v1/ledger'
const { privateKey } = generateKeyPairSync('ed25519')
const vkey = vkeyOf(ORIGIN, createPublicKey(privateKey))
const folder = mkdtempSync(join(tmpdir(), 'procura-aud-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})
const [LEAVES, CHANGED, CLIENTS, APPENDS] = [120, 100, 64, 4000]

const change = (name: string): LedgerEntry => ({
  ...{ type: 'admin_change', act: bySystem('test'), kind: 'config', name },
  ...{ beforeHash: null, afterHash: null, reasonCode: 'test' },
})

/** A log of so many entries, signed at its end. */
async function aLog(leaves = LEAVES) {
  const [db, tenant] = [await freshDatabase(), 'main']
  const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))
  const file = join(folder, db.name)
  const writer = () =>
    createLog({ tenant, pool: db.pool('procura_front'), door: 'append_registered', sealer })
  const log = writer()
  const append = async (name: string, to = log) =>
    await to.record(null, () =>
      Promise.resolve({ entries: [change(name)], value: name, answer: null }),
    )
  const signerPool = db.pool('procura_signer')
  const signer = createSigner({
    ...{ tenant, pool: signerPool, origin: ORIGIN, key: privateKey, file },
    clock: () => new Date(),
  })
  await openLog(log, tenant, ORIGIN)
  await Promise.all(Array.from({ length: leaves - 1 }, (_, n) => append(`change-${String(n)}`)))
  await signer.signOnce()
  const verifying = db.pool('procura_verify')
  return {
    ...{ db, append, writer, signer, file },
    verify: async (against: readonly string[] = []) =>
      await verifyLedger(fromDatabase(verifying, tenant), { vkeys: [vkey], against }),
    checkpoint: () => createReader({ tenant, pool: db.pool('procura_front'), sealer }).checkpoint(),
    seen: () => signer.checkSeen(),
  }
}

/** What a superuser does, with nothing in the way. */
async function asSuperuser(db: TestDatabase, sql: string, params: readonly unknown[] = []) {
  await db.query('alter table ledger.leaf disable trigger all')
  await db.query('alter table ledger.checkpoint disable trigger all')
  await db.query(`do $$ declare c text; begin
    for c in select conname from pg_constraint where conrelid = 'ledger.leaf'::regclass and contype = 'c'
    loop execute format('alter table ledger.leaf drop constraint %I', c); end loop; end $$`)
  await db.query(sql, params)
}

describe('the log', () => {
  it('[AUD-01] lets none of our roles change it, and nobody at all while its triggers stand', async () => {
    const { db, append, verify } = await aLog(3)
    const acts = [
      `update ledger.leaf set entry = entry || ' '`,
      ...['delete from ledger.leaf', 'truncate ledger.leaf', 'truncate ledger.leaf cascade'],
    ]
    const roles = ['front', 'pdp', 'cdp', 'reaper', 'ledger', 'signer', 'verify', 'owner']
    for (const role of roles.map((name) => `procura_${name}`)) {
      for (const sql of acts) {
        const act = db.query(
          `do $do$ begin execute 'set local role ${role}'; execute $q$${sql}$q$; end $do$`,
        )
        await expect(act, `${role}: ${sql}`).rejects.toThrow(/permission denied|is refused/)
      }
    }
    for (const sql of acts) await expect(db.query(sql), sql).rejects.toThrow('is refused')
    await append('one more')
    expect(await verify()).toMatchObject({ ok: true, entries: 3 })
  })

  it('[AUD-02] tells which leaf a superuser changed: any octet of any, and any two swapped', async () => {
    const { db, verify } = await aLog()
    expect(await verify()).toMatchObject({ ok: true, entries: LEAVES })
    const places = fc.sample(
      fc.record({ k: fc.nat(LEAVES - 1), at: fc.nat(), other: fc.nat() }),
      CHANGED,
    )
    for (const { k, at, other } of places) {
      const [row] = await db.query<{ entry: string }>(
        'select entry from ledger.leaf where index = $1',
        [k],
      )
      const entry = row?.entry ?? ''
      const place = at % entry.length
      const octet = String.fromCharCode(entry.charCodeAt(place) ^ 1)
      const changed = entry.slice(0, place) + octet + entry.slice(place + 1)
      await asSuperuser(db, 'update ledger.leaf set entry = $2 where index = $1', [k, changed])
      expect(await verify(), `octet ${String(place)} of leaf ${String(k)}`).toMatchObject({
        ok: false,
        index: k,
      })
      await db.query('update ledger.leaf set entry = $2 where index = $1', [k, entry])

      const swap = `update ledger.leaf a set entry = b.entry, hash = b.hash from ledger.leaf b
        where (a.index, b.index) in (($1::bigint, $2::bigint), ($2, $1))`
      const second = (k + 1 + (other % (LEAVES - 1))) % LEAVES
      await db.query(swap, [k, second])
      expect(await verify(), `leaves ${String([k, second])}`).toMatchObject({
        ok: false,
        index: Math.min(k, second),
      })
      await db.query(swap, [k, second])
    }
    expect(await verify()).toMatchObject({ ok: true, entries: LEAVES })
  })

  it('[AUD-03] that lost its last leaves does not pass with the last checkpoint that was kept', async () => {
    const { db, append, signer, verify, checkpoint } = await aLog()
    const early = await checkpoint()
    await append('late')
    await signer.signOnce()
    const kept = await checkpoint()
    expect(await verify([early, kept])).toMatchObject({ ok: true, entries: LEAVES + 1 })
    await asSuperuser(db, `delete from ledger.leaf where index >= ${String(LEAVES)}`)
    await db.query(`delete from ledger.checkpoint where size > ${String(LEAVES)}`)
    expect(await verify()).toMatchObject({ ok: true, entries: LEAVES }) // it looks whole
    expect(await verify([kept])).toMatchObject({ ok: false, index: LEAVES, rule: 'cut' })
  })

  it('[AUD-04] that was set back is not gone on with: the file outside has seen more', async () => {
    const { db, append, signer, seen } = await aLog()
    await seen()
    await append('after the backup')
    await signer.signOnce()
    await asSuperuser(db, `delete from ledger.leaf where index >= ${String(LEAVES)}`)
    await db.query(`delete from ledger.checkpoint where size > ${String(LEAVES)}`)
    await expect(seen()).rejects.toThrow('rolled back')
    await append('a new history')
    await expect(seen()).rejects.toThrow('rolled back')
  })

  it('[AUD-05] of which there are two copies, both gone on with, is one history or the other', async () => {
    const [one, other] = [await aLog(), await aLog()]
    const [kept, others] = [await one.checkpoint(), await other.checkpoint()]
    expect(await one.verify([kept])).toMatchObject({ ok: true })
    expect(await one.verify([others])).toMatchObject({ ok: false, rule: 'root' })
    expect(await other.verify([kept])).toMatchObject({ ok: false, rule: 'root' })
  })

  it('[AUD-06] is one sequence without a gap, whoever appends: 64 clients, two brokers', async () => {
    const { db, append, writer, signer, verify } = await aLog(1)
    const writers = [writer(), writer()]
    const indices: number[] = []
    const clients = Array.from({ length: CLIENTS }, async (_, n) => {
      for (let k = n; k < APPENDS; k += CLIENTS) {
        const { index } = await append(`change-${String(k)}`, writers[n % 2])
        indices.push(index)
      }
    })
    await Promise.all(clients)
    expect(indices.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: APPENDS }, (_, n) => n + 1),
    )
    const [row] = await db.query(
      `select count(*)::int as n, max(index)::int as last, count(distinct entry)::int as entries,
              count(*) filter (where (entry::jsonb ->> 'seq')::bigint <> index)::int as moved
       from ledger.leaf`,
    )
    expect(row).toEqual({ n: APPENDS + 1, last: APPENDS, entries: APPENDS + 1, moved: 0 })
    await signer.signOnce()
    expect(await verify()).toMatchObject({ ok: true, entries: APPENDS + 1 })
  })
})
