import { once } from 'node:events'
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type PolicyFiles, policySetHash } from '../../src/policy/files.ts'
import { freshDatabase } from '../pg/database.ts'
import { turnOfAnother } from '../pg/turn.ts'
import { replica } from './replica.ts'
import { act, answers, broken, closed, decision } from './sets.ts'
import { files } from './world.ts'

const folders: string[] = []
async function folderOf(content: PolicyFiles): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'policies-'))
  folders.push(folder)
  await mkdir(join(folder, 'tools'))
  await fill(folder, content)
  return folder
}
const fill = (folder: string, content: PolicyFiles) =>
  Promise.all(Object.entries(content).map(([name, text]) => writeFile(join(folder, name), text)))

afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))

describe('a folder', () => {
  it('[POL-10] is in force when it changes, and what is refused keeps the old set and says why', async () => {
    const db = await freshDatabase()
    const one = await replica(db)
    const folder = await folderOf(files)
    await one.pdp.watchFolder(folder)
    expect(await answers(one)).toBe('allow')
    await fill(folder, broken)
    await one.tick()
    await one.tick()
    expect(await answers(one)).toBe('allow')
    expect(one.reports).toHaveLength(1)
    expect(one.reports[0]).toContain('more.cedar: line 1')
    await fill(folder, closed)
    await one.tick()
    expect(await answers(one)).toBe('deny')
    expect(await db.query('select from procura.policy_set')).toHaveLength(2)
  })

  it('whose set is in force already is neither checked again nor takes a turn of the ledger', async () => {
    const db = await freshDatabase()
    const folder = await folderOf(files)
    const [one, two] = [await replica(db, 'wasm'), await replica(db, 'wasm')]
    await one.pdp.watchFolder(folder)
    await two.pdp.follow()
    const threads: unknown[] = []
    const note = (thread: unknown) => threads.push(thread)
    process.on('worker', note)
    onTestFinished(() => void process.off('worker', note))
    await two.pdp.watchFolder(folder)
    expect([await answers(two), one.turns(), two.turns()]).toEqual(['allow', 1, 0])
    expect(threads).toHaveLength(0)
    await fill(folder, closed)
    await two.tick()
    expect([await answers(two), two.turns()]).toEqual(['deny', 1])
    expect(threads.length).toBeGreaterThan(0)
  })

  it('that is put back is in force again, also where another replica has been quicker', async () => {
    const db = await freshDatabase()
    const [one, two] = [await replica(db, 'wasm'), await replica(db, 'wasm')]
    const folder = await folderOf(files)
    await two.pdp.watchFolder(folder)
    await fill(folder, broken)
    await two.tick()
    await one.pdp.publish(closed, act)
    await rm(join(folder, 'more.cedar'))
    await two.tick()
    expect([await answers(two), (await decision(two)).policyEpoch]).toEqual(['allow', 3])
  })

  it('that is being written is neither in force nor refused as it was before it was whole', async () => {
    const db = await freshDatabase()
    const one = await replica(db, 'wasm')
    const folder = await folderOf(closed)
    await one.pdp.watchFolder(folder)
    const half = (text: string) => writeFile(join(folder, 'more.cedar'), text)
    for (const text of ['forbid (principal', '']) {
      await half(text)
      const checking = once(process, 'worker')
      const looking = one.tick()
      await checking
      await fill(folder, closed)
      await looking
      expect([await answers(one), one.reports]).toEqual(['deny', []])
    }
    await half('')
    await one.tick()
    expect([await answers(one), (await decision(one)).policyEpoch]).toEqual(['allow', 2])
  })

  it('of old that a replica starts with is not put back in force for all of them', async () => {
    const db = await freshDatabase()
    const [one, two] = [await replica(db, 'wasm'), await replica(db, 'wasm')]
    await one.pdp.publish(files, act)
    await one.pdp.publish(closed, act)
    const folder = await folderOf({ ...files, ...broken })
    await two.pdp.follow()
    const checking = once(process, 'worker')
    const watching = two.pdp.watchFolder(folder)
    await checking
    await rm(join(folder, 'more.cedar'))
    await watching
    await two.tick()
    await two.tick()
    expect([await answers(two), (await decision(two)).policyEpoch]).toEqual(['deny', 2])
    expect(two.reports).toEqual([expect.stringContaining('superseded')])
  })

  it('of old is not put back either where the new one came since that was looked at', async () => {
    const db = await freshDatabase()
    const [one, two] = [await replica(db, 'wasm'), await replica(db, 'wasm')]
    await one.pdp.publish(files, act)
    const turn = await turnOfAnother(db, 'procura_front')
    const watching = two.pdp.watchFolder(await folderOf(files))
    await turn.untilWaiting()
    // As a third replica does meanwhile.
    await turn.query(`update procura.epoch set value = 2 where kind = 'policy'`, [])
    await turn.query(
      `insert into procura.policy_set
         select tenant, 2, $1, schema_hash, $2, published_at, published_by, event_id
         from procura.policy_set`,
      [policySetHash(closed), closed],
    )
    await turn.letGo()
    await watching
    expect(two.reports).toEqual([expect.stringContaining('superseded')])
    await two.pdp.follow()
    expect([await answers(two), (await decision(two)).policyEpoch]).toEqual(['deny', 2])
  })

  it('that could not be checked in time is no refused one: it is tried again as it is', async () => {
    const one = await replica(await freshDatabase())
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const checking = once(process, 'worker')
    const watching = one.pdp.watchFolder(await folderOf(files))
    await checking
    vi.advanceTimersByTime(30_000)
    vi.useRealTimers()
    await watching
    expect(one.pdp.isHealthy()).toBe(false)
    expect(one.reports[0]).toContain('could not be checked in time (30 s)')
    await one.tick()
    expect([one.pdp.isHealthy(), await answers(one)]).toEqual([true, 'allow'])
  })

  it('that cannot be published for want of a database is published when it is back', async () => {
    const db = await freshDatabase()
    const one = await replica(db)
    await db.query('alter table procura.policy_set rename to gone')
    await one.pdp.watchFolder(await folderOf(files))
    expect(one.pdp.isHealthy()).toBe(false)
    await db.query('alter table procura.gone rename to policy_set')
    await one.tick()
    expect(one.pdp.isHealthy()).toBe(true)
  })
})
