import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/domain/secret.ts'
import { createKeys, loadSeal, rotateSeal } from '../../src/keys.ts'
import { createSealer } from '../../src/ledger/sealed.ts'

const made: string[] = []
async function aFolder(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'procura-seal-'))
  made.push(root)
  const dir = join(root, 'keys')
  await createKeys(dir)
  return dir
}
const linesIn = async (dir: string) =>
  (await readFile(join(dir, 'seal.key'), 'utf8')).trim().split('\n')
afterAll(async () => {
  for (const dir of made) await rm(dir, { recursive: true })
})

describe('rotating the seal', () => {
  it('puts a new key first, and keeps the others', async () => {
    const dir = await aFolder()
    const [first] = await linesIn(dir)
    await rotateSeal(dir)
    const [second, ...older] = await linesIn(dir)
    expect(older).toEqual([first])
    await rotateSeal(dir)
    expect((await linesIn(dir)).slice(1)).toEqual([second, first])
    expect((await stat(join(dir, 'seal.key'))).mode & 0o777).toBe(0o600)
    expect(await readdir(dir)).not.toContain('seal.key.next')
    expect((await loadSeal(dir)).reveal().split('\n')).toHaveLength(3)
  })

  it('leaves the file to whom it belonged, and to whoever could read it', async () => {
    const path = join(await aFolder(), 'seal.key')
    // Only root gives a file away, and not to everybody everywhere.
    await chown(path, 4711, 4712).catch(() => undefined)
    await chmod(path, 0o640)
    const { uid, gid } = await stat(path)
    await rotateSeal(join(path, '..'))
    const after = await stat(path)
    expect([after.uid, after.gid, after.mode & 0o777]).toEqual([uid, gid, 0o640])
  })

  it('loses no key when several do it at once: one does, or one after another', async () => {
    const dir = await aFolder()
    const [before = ''] = await linesIn(dir)
    const turns = await Promise.allSettled(Array.from({ length: 8 }, () => rotateSeal(dir)))
    const went = turns.filter(({ status }) => status === 'fulfilled').length
    const lines = await linesIn(dir)
    expect(went).toBeGreaterThan(0)
    expect(lines).toHaveLength(went + 1)
    expect(lines.at(-1)).toBe(before)
    for (const turn of turns) {
      if (turn.status === 'rejected')
        expect(String(turn.reason)).toContain('seal.key.next is there')
    }
  })

  it('leaves the seal as it is where one was killed half-way, and says what to do', async () => {
    const dir = await aFolder()
    const before = await linesIn(dir)
    await writeFile(join(dir, 'seal.key.next'), 'half')
    await expect(rotateSeal(dir)).rejects.toThrow('remove it')
    expect(await linesIn(dir)).toEqual(before)
    await rm(join(dir, 'seal.key.next'))
    await rotateSeal(dir)
    expect(await linesIn(dir)).toHaveLength(2)
  })

  it('does not begin on a file that holds anything else', async () => {
    const dir = await aFolder()
    const [key = ''] = await linesIn(dir)
    for (const text of ['', 'short', `${key}\nshort`]) {
      await writeFile(join(dir, 'seal.key'), text)
      await expect(rotateSeal(dir)).rejects.toThrow('seal.key')
      await expect(loadSeal(dir)).rejects.toThrow('seal.key')
    }
  })

  it('goes on opening what identifies people, and seals it with the new key', async () => {
    const dir = await aFolder()
    const before = createSealer(await loadSeal(dir))
    const { row: old } = before.seal('evt_1', { name: 'Ana' })
    await rotateSeal(dir)
    const after = createSealer(await loadSeal(dir))
    expect(after.open(old)).toEqual({ name: 'Ana' })
    const { row: fresh } = after.seal('evt_2', { name: 'Ben' })
    expect(after.open(fresh)).toEqual({ name: 'Ben' })
    expect(() => before.open(fresh)).toThrow()
    expect(() => after.open({ ...old, id: 'evt_2' })).toThrow()
    const stranger = createSealer(new Secret(Buffer.alloc(32, 1).toString('base64url')))
    expect(() => stranger.open(old)).toThrow()
  })
})
