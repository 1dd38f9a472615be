/** The schema changes under a broker that runs: half of a change is none, and a whole one does not end what there is. */
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { expectedVersion, migrate } from '../../src/db/migrate.ts'
import { MIGRATIONS } from '../pg/global.ts'
import { startBroker } from '../scenario/broker.ts'
import { expectSound } from './audit.ts'
import type { Call } from './load.ts'
import { survives } from './surviving.ts'
import { aFaultyBroker, type FaultyBroker } from './world.ts'

/** What a release may do to tables that the one before uses: it only adds. */
const MORE = `
  create table procura.more (tenant text primary key);
  alter table procura.lease add column note text;`
/** It holds what everybody needs for a while, and then fails. */
const HALF = `${MORE} select pg_sleep(0.5); select 1 / 0;`

let world: FaultyBroker
const all: Call[] = []
const folders: string[] = []
beforeAll(async () => {
  world = await aFaultyBroker()
})
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** What there is, and one more. */
function next(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'procura-next-'))
  folders.push(folder)
  cpSync(MIGRATIONS, folder, { recursive: true })
  const number = String(expectedVersion(MIGRATIONS) + 1).padStart(4, '0')
  writeFileSync(join(folder, `${number}_more.sql`), text)
  return folder
}

const tables = () =>
  world.postgres.query(
    `select table_name, column_name from information_schema.columns
     where table_schema in ('procura', 'ledger') order by 1, 2`,
  )

it('[F41] a migration that fails half-way has changed nothing, and a broker under load goes on', async () => {
  const before = await tables()
  await survives(world, all, async () => {
    const failing = migrate(world.postgres.url, { dir: next(HALF) })
    await expect(failing).rejects.toThrow('_more.sql failed, and changed nothing')
  })
  expect(await tables()).toEqual(before)
  expect(await migrate(world.postgres.url, { dir: MIGRATIONS })).toEqual([])
}, 90_000)

it('[F41] the next one, run by three at once and again, is applied once; the broker of before goes on', async () => {
  const { postgres, env } = world
  const dir = next(MORE)
  expect(readdirSync(dir)).toHaveLength(readdirSync(MIGRATIONS).length + 1)
  await survives(world, all, async () => {
    const runs = await Promise.all([1, 2, 3].map(() => migrate(postgres.url, { dir })))
    expect(runs.flat()).toEqual([expectedVersion(dir)])
    expect(await migrate(postgres.url, { dir })).toEqual([])
  })
  expect(await tables()).toContainEqual({ table_name: 'lease', column_name: 'note' })
  // Whoever starts now must know what there is.
  await expect(startBroker(env)).rejects.toThrow('run a newer broker')
  await survives(world, all, () => Promise.resolve())
}, 90_000)

it('[I1, I2, I3, I7, I10] went through all that has lost and doubled nothing, and left nothing', async () => {
  await expectSound(world, world.issuer, all)
  world.broker.signal('SIGTERM')
  expect(await world.broker.ended, 'it was never restarted').toBe(0)
}, 200_000)
