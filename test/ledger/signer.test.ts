import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { bySystem } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import { openCheckpoint, vkeyOf } from '../../src/ledger/checkpoint.ts'
import { createLog } from '../../src/ledger/log.ts'
import { leafHash, verifyConsistency, verifyInclusion } from '../../src/ledger/merkle.ts'
import { createReader } from '../../src/ledger/reader.ts'
import { createSealer } from '../../src/ledger/sealed.ts'
import { createSigner } from '../../src/ledger/signer.ts'
import { newestCheckpoint } from '../../src/ledger/witness.ts'
import { freshDatabase } from '../pg/database.ts'

const ORIGIN = 'broker.example/v1/ledger'
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const vkeys = [vkeyOf(ORIGIN, publicKey)]
const folder = mkdtempSync(join(tmpdir(), 'procura-signer-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

async function logWithSigner() {
  const db = await freshDatabase()
  const tenant = 'main'
  const sealer = createSealer(new Secret(randomBytes(32).toString('base64url')))
  const pool = db.pool('procura_front')
  const log = createLog({ tenant, pool, door: 'append_registered', sealer })
  const file = join(folder, db.name)
  const signing = (seen = file) =>
    createSigner({
      ...{ tenant, pool: db.pool('procura_signer'), origin: ORIGIN, key: privateKey, file: seen },
      clock: () => new Date(),
    })
  const append = async (count: number) => {
    const work = () =>
      Promise.resolve({
        entries: [{ type: 'log_opened', act: bySystem('t'), name: 'x' } as const],
        value: null,
        answer: null,
      })
    await Promise.all(Array.from({ length: count }, () => log.record(null, work)))
  }
  return { db, append, file, signing, reader: createReader({ tenant, pool, sealer }) }
}

describe('checkpoints', () => {
  it('prove every leaf, and that each tree is the beginning of the next', async () => {
    const { append, signing, reader } = await logWithSigner()
    const signer = signing()
    const notes: string[] = []
    for (const count of [1, 2, 1, 7, 20, 3]) {
      await append(count)
      await signer.signOnce()
      notes.push(await reader.checkpoint())
    }
    const opened = notes.map((note) => openCheckpoint(note, vkeys))
    const { items } = await reader.entries({ start: 0, limit: 200 })
    expect(items).toHaveLength(34)
    for (const { index, leaf } of items) {
      const proof = await reader.inclusion({ index })
      const { size, root } = openCheckpoint(proof.checkpoint, vkeys)
      const hashes = proof.hashes.map((hash) => Buffer.from(hash, 'base64'))
      expect(verifyInclusion({ index, size, leaf: leafHash(leaf), root, hashes })).toBe(true)
    }
    for (const [n, from] of opened.entries()) {
      for (const to of opened.slice(n)) {
        const proof = await reader.consistency(from.size, to.size)
        const hashes = proof.hashes.map((hash) => Buffer.from(hash, 'base64'))
        const claim = { from: from.size, to: to.size, fromRoot: from.root, toRoot: to.root, hashes }
        expect(verifyConsistency(claim)).toBe(true)
      }
    }
  })

  it('are one a size when two signers run at once, and the newest is in the file outside', async () => {
    const { db, append, signing, reader, file } = await logWithSigner()
    const signers = [signing(), signing()]
    for (let round = 0; round < 5; round += 1) {
      await append(3)
      await Promise.all(signers.map((signer) => signer.signOnce()))
    }
    const rows = await db.query('select size from ledger.checkpoint')
    expect(rows.length).toBe(5)
    expect(await newestCheckpoint(file)).toBe(await reader.checkpoint())
  })

  it('[AUD-02] are not signed over a tree that is not the one signed before', async () => {
    const { db, append, signing } = await logWithSigner()
    const signer = signing()
    await append(4)
    await signer.signOnce()
    await db.query('alter table ledger.checkpoint disable trigger user')
    await db.query(`update ledger.checkpoint set root = sha256('another')`)
    await append(1)
    await expect(signer.signOnce()).rejects.toThrow('is not what is stored now')
  })

  it('are in the file of every replica, whoever of them signed', async () => {
    const { append, signing, reader, file } = await logWithSigner()
    const [one, other] = [signing(), signing(`${file}-other`)]
    await append(3)
    await one.signOnce()
    await other.signOnce()
    expect(await newestCheckpoint(`${file}-other`)).toBe(await reader.checkpoint())
    expect(await newestCheckpoint(file)).toBe(await reader.checkpoint())
  })

  it('are in the file though whoever signed died before it wrote there, and nothing is new since', async () => {
    const { append, signing, reader, file } = await logWithSigner()
    await append(3)
    await signing(join(folder, 'no-such-folder', 'file'))
      .signOnce()
      .catch(() => undefined)
    expect(await newestCheckpoint(file)).toBeNull()
    await signing().signOnce()
    expect(await newestCheckpoint(file)).toBe(await reader.checkpoint())
  })

  it('[AUD-04] are not signed of a log that was set back while it was written to', async () => {
    const { db, append, signing, file } = await logWithSigner()
    const signer = signing()
    await append(5)
    await signer.signOnce()
    await append(5)
    await signer.signOnce()
    const seen = await newestCheckpoint(file)
    for (const table of ['leaf', 'node', 'checkpoint'])
      await db.query(`alter table ledger.${table} disable trigger all`)
    await db.query('delete from ledger.leaf where index >= 5')
    await db.query('delete from ledger.checkpoint where size > 5')
    await db.query('delete from ledger.node where (index + 1) << level > 5')
    const before = signer.signedAt()
    for (const more of [0, 3, 2, 4]) {
      await append(more)
      await expect(signer.signOnce()).rejects.toThrow('rolled back or replaced')
    }
    expect(await newestCheckpoint(file)).toBe(seen)
    expect(await db.query('select size from ledger.checkpoint')).toEqual([{ size: 5 }])
    expect(signer.signedAt()).toEqual(before)
  })

  it('are asked for in vain before there is one, and beyond what is covered', async () => {
    const { append, signing, reader } = await logWithSigner()
    await append(2)
    await expect(reader.inclusion({ index: 0 })).rejects.toMatchObject({
      code: 'not_yet_checkpointed',
    })
    await signing().signOnce()
    await append(1)
    await expect(reader.inclusion({ index: 2 })).rejects.toMatchObject({
      code: 'not_yet_checkpointed',
    })
    await expect(reader.inclusion({ index: 9 })).rejects.toMatchObject({ code: 'schema_violation' })
    await expect(reader.inclusion({ index: 0 }, 1)).rejects.toMatchObject({
      code: 'schema_violation',
    })
  })
})
