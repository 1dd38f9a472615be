/** A rotation that is held up where it is put on record, as by a log that others write to. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { rotateSet } from '../../src/cli/key-rotation.ts'
import { Secret } from '../../src/domain/secret.ts'
import { readSet } from '../../src/key-files.ts'
import { createKeys } from '../../src/keys.ts'
import { freshDatabase } from '../pg/database.ts'
import { aFolder } from './run.ts'

vi.setConfig({ testTimeout: 60_000 })
/** The turn of the log, and the one that rotations have. */
const [TURN, ROTATING] = [6962, 6971]
const SECONDS = 3

async function aPlace() {
  const { url, query, pool } = await freshDatabase()
  const dir = aFolder()
  await createKeys(dir)
  const at = { databaseUrl: new Secret(url), tenant: 'main', keysDir: dir, signerToken: null }
  const path = join(dir, 'sessions.json')
  const holders = (lock: number, isGranted: boolean) =>
    query<{ pid: number }>(
      `select pid from pg_locks where locktype = 'advisory' and classid = $1 and granted = $2
         and database = (select oid from pg_database where datname = current_database())`,
      [lock, isGranted],
    )
  /** Nobody records anything until what is returned is called. */
  async function holdUp() {
    const client = await pool('procura_owner', 1).connect()
    await client.query("begin; select pg_advisory_xact_lock(6962, hashtext('main'))")
    return async () => {
      await client.query('commit')
      client.release()
    }
  }
  return {
    ...{ query, holders, holdUp, path },
    rotate: (seconds: number) => rotateSet(at, 'sessions', { seconds }),
    waiting: (many: number) => expect.poll(() => holders(TURN, false)).toHaveLength(many),
    text: () => readFileSync(path, 'utf8'),
    kids: () => readSet(readFileSync(path, 'utf8'), 'sessions').map(({ kid }) => kid),
    beside: () => readdirSync(dir).filter((file) => file.includes('next')),
  }
}

it('a key that would sign before every broker has read it is not put in place', async () => {
  const { rotate, holdUp, waiting, query, text, kids, beside } = await aPlace()
  const before = text()
  const goOn = await holdUp()
  const rotating = rotate(SECONDS).catch(String)
  await waiting(1)
  const [{ latest }] = (await query(
    `select to_timestamp(ceil(extract(epoch from clock_timestamp())) + $1 - 3) as latest`,
    [SECONDS],
  )) as [{ latest: Date }]
  const isLate = async () => {
    const [row] = await query('select clock_timestamp() > $1 as late', [latest])
    return row?.['late']
  }
  await expect.poll(isLate).toBe(true)
  await goOn()
  expect(await rotating).toContain('would sign before every broker has read it')
  expect(text()).toBe(before)
  expect(beside()).toEqual([])

  const { kid } = await rotate(600)
  expect(kids()).toContain(kid)
})

it('of two of which the first lost its lock and went on, one is told, and the file has every other key', async () => {
  const { rotate, holdUp, waiting, query, holders, kids, beside } = await aPlace()
  const goOn = await holdUp()
  const first = rotate(600).catch(String)
  await waiting(1)
  const [{ pid }] = (await holders(ROTATING, true)) as [{ pid: number }]
  await query('select pg_terminate_backend($1)', [pid])
  const second = rotate(600)
  await waiting(2)
  await goOn()
  expect(await first).toContain('the database was lost, and with it the lock')
  const { kid } = await second
  expect(kids()).toHaveLength(2)
  expect(kids()).toContain(kid)
  expect(beside()).toEqual([])
})
