/** The process itself: how it starts without what it needs, ends under load, and lives with a wrong clock. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, renameSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startForgetful } from './forgetful.ts'
import { startProxy } from './proxy.ts'
import { type Balancer, startBalancer } from '../scenario/balancer.ts'
import { type BrokerProcess, startBroker } from '../scenario/broker.ts'
import { eventually } from '../scenario/house.ts'
import { expectSound } from './audit.ts'
import { ASK, type Call, one, outcomesOf, underLoad } from './load.ts'
import { aFaultWorld, agentsAt, failingAt, type FaultWorld } from './world.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')

let world: FaultWorld
let balancer: Balancer
const all: Call[] = []
beforeAll(async () => {
  const made = await aFaultWorld()
  balancer = await startBalancer()
  // All of them are one broker to whoever calls: one issuer, and one log.
  world = { ...made, env: { ...made.env, PROCURA_ISSUER: balancer.origin } }
})

const lonely: BrokerProcess[] = []
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const broker of lonely.splice(0)) {
    broker.signal('SIGKILL')
    await broker.ended
  }
})

/** Behind the balancer, and alone. */
async function aLonelyBroker(env: Readonly<Record<string, string>> = {}) {
  const broker = await startBroker({ ...world.env, ...env })
  lonely.push(broker)
  balancer.to(broker.port)
  return broker
}
const children = new Set<ReturnType<typeof spawn>>()
describe('[F26] a broker does not start in part', () => {
  it('without its database, and says so', async () => {
    const nowhere = await startProxy(1)
    const env = { ...world.env, DATABASE_URL: at(world.env['DATABASE_URL'] ?? '', nowhere.port) }
    await expect(startBroker(env)).rejects.toThrow(/did not start: [^]*(ECONN|terminated)/)
  }, 60_000)

  it('on the schema of another version, and says which', async () => {
    const { postgres, env } = world
    const rename = (from: string, to: string) =>
      postgres.query(`update procura.migration set number = ${to} where number = ${from}`)
    const [row] = await postgres.query<{ n: number }>(
      'select max(number) as n from procura.migration',
    )
    const newest = String(row?.n)
    await rename(newest, '9999')
    await expect(startBroker(env)).rejects.toThrow(/schema 9999, this broker needs/)
    await rename('9999', newest)
  }, 60_000)

  it('[F42] behind a pooler that drops what its connections ask for, and says so', async () => {
    const { postgres, env } = world
    const port = await startForgetful(postgres.port)
    const pooled = { ...env, DATABASE_URL: at(postgres.url, port) }
    await expect(startBroker(pooled)).rejects.toThrow(/did not start: [^]*role procura_front/)
  }, 60_000)

  it('without one of its keys, and says which', async () => {
    const key = join(world.home.keysDir, 'decisions.json')
    renameSync(key, `${key}.gone`)
    await expect(startBroker(world.env)).rejects.toThrow(/decisions\.json/)
    renameSync(`${key}.gone`, key)
  }, 60_000)
})

describe('[F18] a broker that is told to end under load', () => {
  it('is first not ready; whoever it answers is answered, nobody meets an error, and it ends with 0', async () => {
    const { env } = world
    const own = (n: number) => ({
      PROCURA_CHECKPOINTS: join(world.home.dataDir, `seen-${String(n)}`),
    })
    const brokers = [
      await startBroker({ ...env, ...own(1) }),
      await startBroker({ ...env, ...own(2) }),
    ]
    const checked = checkHealth(
      brokers.map(({ port }) => port),
      balancer.to,
    )
    await checked.once
    const agents = await agentsAt(world.home, balancer.origin)
    const [leaving] = brokers
    const { calls } = await underLoad({ ...agents, isTokensOnly: true }, async () => {
      leaving?.signal('SIGTERM')
      expect(await leaving?.ended).toBe(0)
    })
    await checked.stop()
    all.push(...calls)
    await expectSound(world, balancer.origin, all)
    brokers[1]?.signal('SIGTERM')
    expect(await brokers[1]?.ended).toBe(0)
    expect(outcomesOf(calls)).toEqual({ active: calls.length })
  }, 150_000)

  it('whose database is frozen ends all the same', async () => {
    const broker = await aLonelyBroker()
    world.postgres.freeze()
    const began = performance.now()
    broker.signal('SIGTERM')
    await broker.ended
    world.postgres.thaw()
    expect(performance.now() - began).toBeLessThan(25_000)
  }, 60_000)
})

describe('[F57, I16] a broker whose machine has a clock that is', () => {
  it('an hour slow, steps to right and to an hour fast, judges by the time of the database, and says that it is wrong', async () => {
    const preload = join(import.meta.dirname, 'shifted-clock.ts')
    const shift = { NODE_OPTIONS: `--import=${preload}`, FAULT_CLOCK_MS: '-3600000' }
    const broker = await aLonelyBroker(shift)
    const { issuer, kim } = await agentsAt(world.home, broker.issuer)
    for (const failing of ['clock', null, 'clock']) {
      await eventually(`failing being ${String(failing)}`, async () => {
        return (await failingAt(issuer)) === failing
      })
      const call = await one(kim, ASK.refund)
      expect(call).toMatchObject({ outcome: 'active' })
      const [row] = await world.postgres.query<{ left: number }>(
        `select extract(epoch from expires_at - clock_timestamp())::int as left
         from procura.v_credential where id = $1`,
        [call.id],
      )
      expect(row?.left).toBeGreaterThan(30)
      expect(row?.left).toBeLessThanOrEqual(60)
      all.push(call)
      broker.signal('SIGUSR2')
    }
    broker.signal('SIGTERM')
    expect(await broker.ended).toBe(0)
  }, 60_000)
})

describe('a broker that lacks', () => {
  it('[F73] anybody who reads its log answers all the same', async () => {
    const { issuer } = await unread(process.execPath, [MAIN, 'serve'])
    for (let n = 0; n < 60; n += 1) {
      const asked = Array.from({ length: 40 }, () => fetch(`${issuer}/v1/credentials/crd_none`))
      await Promise.all((await Promise.all(asked)).map((answer) => answer.arrayBuffer()))
    }
    expect(await failingAt(issuer)).toBe(null)
  }, 60_000)

  it('[F74] descriptors does not break, and goes on when it has some', async () => {
    const shell = 'ulimit -n 256; exec "$0" "$@"'
    const { issuer, port, child } = await unread('/bin/sh', [
      '-c',
      shell,
      process.execPath,
      MAIN,
      'serve',
    ])
    const sockets: Socket[] = []
    for (let n = 0; n < 400; n += 1) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      sockets.push(socket)
    }
    await pause(500)
    for (const socket of sockets) socket.destroy()
    await eventually('being ready', async () => (await failingAt(issuer)) === null, 30)
    expect(child.exitCode).toBe(null)
  }, 60_000)

  const disk = mkdtempSync(join(tmpdir(), 'procura-file-'))
  const hasDisk = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0
  afterAll(() => {
    if (hasDisk) spawnSync('umount', ['-l', disk])
    rmSync(disk, { recursive: true, force: true })
  })
  it.skipIf(!hasDisk)(
    `[F74] a place to write its checkpoints is not ready, and is when it has one${hasDisk ? '' : ' (needs root, for a small disk)'}`,
    async () => {
      const file = join(disk, 'checkpoints')
      const broker = await aLonelyBroker({ PROCURA_CHECKPOINTS: file })
      const { kim, failing } = await agentsAt(world.home, broker.issuer)
      // Not while the broker is writing to it.
      const remount = (how: string) =>
        eventually(how, () =>
          Promise.resolve(spawnSync('mount', ['-o', `remount,${how}`, disk]).status === 0),
        )
      await remount('ro')
      all.push(await one(kim, ASK.refund))
      await eventually('being red', async () => (await failing()) === 'checkpoints', 30)
      await remount('rw')
      await eventually('being ready', async () => (await failing()) === null, 30)
      broker.signal('SIGTERM')
      expect(await broker.ended).toBe(0)
    },
    90_000,
  )
})

/** A broker whose stderr nobody ever reads. */
async function unread(program: string, args: readonly string[]) {
  const child = spawn(program, args, {
    env: { PATH: process.env['PATH'], PROCURA_PORT: '0', ...world.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let said = ''
  child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()))
  const ready = /^ready +(\S+)\nlistens +\S+:(\d+)\n/m
  await eventually('a start', () => Promise.resolve(ready.test(said)), 30)
  const [, issuer = '', port = ''] = ready.exec(said) ?? []
  balancer.to(Number(port))
  return { issuer, port: Number(port), child }
}

/** As a balancer does it: whoever says that it is not ready gets no new connection. */
function checkHealth(ports: readonly number[], to: (...ports: readonly number[]) => void) {
  const end = new AbortController()
  const ready = new Set<number>()
  const look = async (port: number) => {
    const isReady = (await failingAt(`http://127.0.0.1:${String(port)}`)) === null
    if (isReady) ready.add(port)
    else ready.delete(port)
    if (ready.size > 0) to(...ready)
  }
  const watch = async (port: number) => {
    while (!end.signal.aborted) {
      await look(port)
      await pause(100)
    }
  }
  const watching = ports.map(watch)
  return {
    once: eventually('all being ready', () => Promise.resolve(ready.size === ports.length)),
    async stop() {
      end.abort()
      await Promise.all(watching)
    },
  }
}

function at(url: string, port: number): string {
  const other = new URL(url)
  other.port = String(port)
  return other.href
}
