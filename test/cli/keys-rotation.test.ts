import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { parseTrusted } from '../../src/domain/json.ts'
import { loadKeys } from '../../src/keys.ts'
import { freshDatabase } from '../pg/database.ts'
import { aFolder, procura } from './run.ts'

vi.setConfig({ testTimeout: 120_000 })
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')

async function aPlace() {
  const { url, query } = await freshDatabase()
  const keys = aFolder()
  const env = { DATABASE_URL: url, PROCURA_KEYS: keys }
  const run = async (...args: string[]) => {
    const ran = await procura(['keys', ...args], { env })
    expect(ran.code, ran.stderr).toBe(0)
    return ran.stdout
  }
  await run('create')
  const changes = () =>
    query<{
      kind: string
      name: string
      reason_code: string
      before_hash: string
      after_hash: string
    }>(
      `select change.* from ledger.leaf, jsonb_to_record(entry::jsonb -> 'change')
         as change(kind text, name text, reason_code text, before_hash text, after_hash text)
       where event_type = 'admin_change' order by index`,
    )
  const kidsIn = (set: string) => {
    const { keys: all } = parseTrusted(readFileSync(join(keys, `${set}.json`), 'utf8')) as {
      keys: { kid: string }[]
    }
    return all.map(({ kid }) => kid)
  }
  return { keys, env, run, changes, kidsIn }
}

it('a rotation is told, listed and on record, and says no private word', async () => {
  const { keys, run, changes, kidsIn } = await aPlace()
  const [old] = kidsIn('credentials')
  const told = await run('rotate', 'credentials', 'sessions')
  expect(told).toMatch(/^made +cdp-\S+, in credentials\.json and on record; it signs from 20\S+Z$/m)
  expect(told).toMatch(/^then +before that, the same sessions\.json/m)
  const [first, next] = kidsIn('credentials')
  expect(first).toBe(old)
  const listed = await run('list')
  expect(listed).toMatch(new RegExp(`^signs +${String(old)}$`, 'm'))
  expect(listed).toMatch(new RegExp(`^will sign +${String(next)} from 20\\S+Z$`, 'm'))

  const [one, two, ...more] = await changes()
  expect(more).toEqual([])
  expect(one).toMatchObject({ kind: 'key', name: next, reason_code: 'rotated' })
  expect(two).toMatchObject({ kind: 'key', name: kidsIn('sessions').at(-1) })
  expect(one?.before_hash).not.toBe(one?.after_hash)
  expect(await run('prune')).toMatch(/^current +credentials$/m)
  expect(await changes()).toHaveLength(2)

  const shown = await run('public', 'credentials')
  expect(
    (parseTrusted(shown) as { keys: object[] }).keys.map((key) => Object.keys(key).sort()),
  ).toEqual([1, 2].map(() => ['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']))
  const secrets = [
    ...readFileSync(join(keys, 'credentials.json'), 'utf8').matchAll(/"d":"([^"]+)"/g),
  ]
  expect(secrets).toHaveLength(2)
  for (const [, secret = ''] of secrets) expect(told + listed + shown).not.toContain(secret)
})

it('no key is made in a token where none can be, and nothing changes', async () => {
  const { env, changes, kidsIn } = await aPlace()
  for (const { what, code, told } of [
    { what: ['roots'], code: 1, told: 'Keys of roots.json have to be in the file: what it signs' },
    { what: ['credentials'], code: 2, told: 'this needs PROCURA_SIGNER' },
    { what: ['sessions', 'seal'], code: 2, told: 'where the seal is made is said by PROCURA_SEAL' },
  ]) {
    const ran = await procura(['keys', 'rotate', ...what, '--to', 'token'], { env })
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringContaining(told)])
  }
  expect(await changes()).toEqual([])
  expect(kidsIn('credentials')).toHaveLength(1)
})

it('what is no set, no moment, or without a database is refused before anything is changed', async () => {
  const { env, kidsIn } = await aPlace()
  for (const args of [['nothing'], ['sessions', '--in', '1'], ['sessions', '--in', 'soon'], []]) {
    const { code } = await procura(['keys', 'rotate', ...args], { env })
    expect(code, args.join(' ')).toBe(2)
  }
  const { code, stderr } = await procura(['keys', 'rotate', 'sessions'], {
    env: { PROCURA_KEYS: env.PROCURA_KEYS },
  })
  expect(code).toBe(2)
  expect(stderr).toContain('DATABASE_URL')
  expect(kidsIn('sessions')).toHaveLength(1)
})

it('killed at any moment, it leaves a folder that every broker starts with, and the next one goes on', async () => {
  const { keys, env, run, changes, kidsIn } = await aPlace()
  const [old] = kidsIn('sessions')
  let [killed, last] = [0, 1]
  for (const after of [0, 0, 1, 2, 4, 8, 16, 40]) {
    const child = spawn(process.execPath, [MAIN, 'keys', 'rotate', 'sessions'], {
      env: { PATH: process.env['PATH'], ...env },
      stdio: 'ignore',
    })
    const ended = once(child, 'exit')
    // From the first thing that it does in the folder, which is in the middle of it.
    const looking = watch(keys, () => setTimeout(() => child.kill('SIGKILL'), after))
    const [, signal] = (await ended) as [number | null, string | null]
    looking.close()
    if (signal === 'SIGKILL') killed += 1

    const kids = kidsIn('sessions')
    expect(kids[0]).toBe(old)
    expect(kids.length - last, 'one new key, or none').toBeLessThanOrEqual(1)
    last = kids.length
    await expect(loadKeys(keys, { now: new Date(0) })).resolves.toBeDefined()
    const recorded = (await changes()).map(({ name }) => name)
    expect(recorded, 'what is in the file is on record').toEqual(
      expect.arrayContaining(kids.slice(1)),
    )
  }
  expect(killed).toBeGreaterThan(2)
  await run('rotate', 'sessions')
  expect(kidsIn('sessions')).toHaveLength(last + 1)
  expect(readdirSync(keys).filter((name) => name.includes('next'))).toEqual([])
})
