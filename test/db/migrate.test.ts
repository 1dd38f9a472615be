import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectedVersion, migrate, schemaVersion } from '../../src/db/migrate.ts'
import { createPool, ROLES } from '../../src/db/connect.ts'
import { freshDatabase, freshTarget } from '../pg/database.ts'
import { MIGRATIONS } from '../pg/global.ts'
import { folder } from './checkout.ts'

/** A folder of migrations: the first is number 1. */
function files(...texts: readonly string[]): string {
  const dir = folder()
  texts.forEach((text, index) => {
    add(dir, index + 1, text)
  })
  return dir
}

function add(dir: string, number: number, text: string): void {
  writeFileSync(join(dir, `${String(number).padStart(4, '0')}_step.sql`), text)
}

const ONE = 'create table one (n int);'
const TWO = `
  create function two() returns int language plpgsql as $$
  begin
    return 2; -- a body with semicolons;
  end $$;
  insert into one values (two());`

async function versionOf(url: string): Promise<number> {
  const pool = createPool({ url, role: null, max: 1 })
  return await schemaVersion(pool).finally(() => pool.end())
}

describe('migrations', () => {
  it('are applied in order, once, and told by name', async () => {
    const { url, query } = await freshTarget()
    const dir = files(ONE, TWO)
    const said: string[] = []
    expect(await versionOf(url)).toBe(0)
    expect(await migrate(url, { dir, log: (message) => said.push(message) })).toEqual([1, 2])
    expect(said).toEqual(['applied migration 0001_step.sql', 'applied migration 0002_step.sql'])
    expect(await migrate(url, { dir })).toEqual([])
    expect(await query('select n from one')).toEqual([{ n: 2 }])
    expect([await versionOf(url), expectedVersion(dir)]).toEqual([2, 2])
  })

  it('of this project bring an empty database to the version of the code', async () => {
    const { url } = await freshDatabase()
    expect(await versionOf(url)).toBe(expectedVersion(MIGRATIONS))
    expect(await migrate(url, { dir: MIGRATIONS })).toEqual([])
  })

  it('of this project need CREATEROLE and a database of their own, and no superuser', async () => {
    const { name, query, role, urlAs } = await freshTarget()
    const installer = role('installer')
    await query(`create role ${installer} login createrole password 'a password'`)
    await query(`alter database ${name} owner to ${installer}`)
    // The roles are there already, made by the superuser of this server: who made them hands them on.
    await query(`grant ${ROLES.join(', ')} to ${installer} with admin option`)
    const own = urlAs(installer, 'a password')
    expect(await migrate(own, { dir: MIGRATIONS })).toHaveLength(expectedVersion(MIGRATIONS))
    const pool = createPool({ url: own, role: 'procura_pdp', max: 1 })
    expect(await schemaVersion(pool)).toBe(expectedVersion(MIGRATIONS))
    await pool.end()
  })

  it('are each whole or not there: what fails leaves neither its work nor its number', async () => {
    const { url, query } = await freshTarget()
    const dir = files(ONE, 'create table two (n int); select 1 / 0;')
    await expect(migrate(url, { dir })).rejects.toThrow('0002_step.sql failed, and changed nothing')
    expect(await versionOf(url)).toBe(1)
    expect(await query(`select to_regclass('two') as two`)).toEqual([{ two: null }])
    add(dir, 2, 'create table two (n int);')
    expect(await migrate(url, { dir })).toEqual([2])
  })

  it('may be run by many at once: each is applied by one of them', async () => {
    const { url } = await freshTarget()
    const dir = files(ONE, TWO, 'create table three (n int);')
    const runs = await Promise.all([1, 2, 3, 4].map(() => migrate(url, { dir })))
    expect(runs.flat().sort()).toEqual([1, 2, 3])
  })

  it('do not hand their settings or their role to the next', async () => {
    const { url, query } = await freshTarget()
    const me = "create table me%n as select current_user as me, current_setting('work_mem') as mem;"
    const dir = files(
      me.replace('%n', '1'),
      `set role pg_monitor; set work_mem = '77MB';`,
      me.replace('%n', '2'),
    )
    await migrate(url, { dir })
    expect(await query('select * from me2')).toEqual(await query('select * from me1'))
  })

  it('are refused where one was altered, removed or slipped in after it was applied', async () => {
    const { url } = await freshTarget()
    await migrate(url, { dir: files(ONE, TWO) })
    const altered = files(`${ONE} `, TWO, 'create table three (n int);')
    await expect(migrate(url, { dir: altered })).rejects.toThrow('0001_step.sql was altered')
    await expect(migrate(url, { dir: files(ONE) })).rejects.toThrow(
      'at migration 2, newer than this',
    )
    expect(await migrate(url, { dir: files(ONE, TWO) })).toEqual([])
  })

  it('are refused where a number is missing or doubled', async () => {
    const { url } = await freshTarget()
    const dir = files(ONE)
    add(dir, 3, TWO)
    await expect(migrate(url, { dir })).rejects.toThrow('should be number 2')
    expect(() => expectedVersion(dir)).toThrow('should be number 2')
    expect(await versionOf(url)).toBe(0)
  })
})
