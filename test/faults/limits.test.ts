/** The database has no room: no connections, no disk; or it gives up a transaction, and asks to do it again. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expectSound } from './audit.ts'
import { ASK, type Call, one, outcomesOf } from './load.ts'
import { survives } from './surviving.ts'
import { aFaultyBroker, type FaultyBroker } from './world.ts'
import { eventually } from '../scenario/house.ts'

const CONNECTIONS = 48

/** A disk of its own for the data, which only root can make. */
const disk = mkdtempSync(join(tmpdir(), 'procura-disk-'))
const hasDisk = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=160m', 'tmpfs', disk]).status === 0

let world: FaultyBroker
const all: Call[] = []
beforeAll(async () => {
  chmodSync(disk, 0o755)
  const settings = {
    max_connections: String(CONNECTIONS),
    max_wal_size: '32MB',
    min_wal_size: '32MB',
  }
  world = await aFaultyBroker({ settings, ...(hasDisk ? { folder: disk } : {}) })
})
afterAll(async () => {
  await world.postgres.kill()
  if (hasDisk) spawnSync('umount', ['-l', disk])
  rmSync(disk, { recursive: true, force: true })
})

describe('a broker whose database', () => {
  it('[F30] has no connection left says so, and goes on when there are some', async () => {
    const { postgres } = world
    const { during } = await survives(world, all, async () => {
      const hogs = await takeAll(postgres.url)
      await pause(2000)
      await Promise.all(hogs.map((hog) => hog.end()))
    })
    expect(outcomesOf(during)['unavailable']).toBeGreaterThan(0)
  }, 60_000)

  it.skipIf(!hasDisk)(
    `[F30] has a full disk gives nothing out, and goes on when there is room${hasDisk ? '' : ' (needs root, to make a small disk)'}`,
    async () => {
      const filler = join(disk, 'filler')
      const { during } = await survives(world, all, async () => {
        fill(filler)
        // Segments of the log that are there already are still written to; then it is over.
        await eventually('the disk being full', async () => (await world.failing()) !== null, 20)
        await pause(2000)
        rmSync(filler)
        await startAgain()
      })
      expect(outcomesOf(during)['unavailable']).toBeGreaterThan(0)
    },
    90_000,
  )

  it.each([
    ['the ledger', 'ledger.leaf', 'insert'],
    ['a lease that is opened', 'procura.lease', 'insert'],
    ['a lease that is changed', 'procura.lease', 'update'],
    ['a budget', 'procura.budget', 'update'],
    ['a proof that is used', 'procura.used_proof', 'insert'],
  ])(
    '[F36] gives up a transaction at %s once is asked again, and nobody notices',
    async (...at) => {
      const [, table, verb] = at
      for (const state of ['40001', '40P01']) {
        await giveUpOnce(table, verb, state)
        const calls = [await one(world.kim, ASK.refund), await one(world.ana, ASK.count)]
        const [row] = await world.postgres.query<{ raised: string }>(
          'select is_called::int as raised from public.given_up',
        )
        expect(row, 'it was given up').toEqual({ raised: 1 })
        expect(outcomesOf(calls)).toEqual({ active: 2 })
        all.push(...calls)
      }
    },
  )

  it('[F36] gives up a transaction for ever is not asked for ever', async () => {
    await giveUpOnce('ledger.leaf', 'insert', '40001', 1000)
    const call = await one(world.kim, ASK.refund)
    const { outcome, input } = call
    expect({ outcome, input }).toEqual({ outcome: 'unavailable', input: 'ledger' })
    expect(call.ms).toBeLessThan(2000)
    await world.postgres.query('drop sequence public.given_up cascade')
    await world.postgres.query('drop function public.give_up() cascade')
    expect(await one(world.kim, ASK.refund)).toMatchObject({ outcome: 'active' })
  })

  it('[I1, I2, I3, I7, I10] went through all that has lost and doubled nothing, and left nothing', async () => {
    await expectSound(world, world.issuer, all)
    world.broker.signal('SIGTERM')
    expect(await world.broker.ended, 'it was never restarted').toBe(0)
  }, 200_000)
})

/** A sequence does not go back when a transaction does: so it is raised that often, and no more. */
async function giveUpOnce(table: string, verb: string, state: string, times = 1): Promise<void> {
  await world.postgres.query(`
    drop sequence if exists public.given_up;
    drop function if exists public.give_up() cascade; -- and with it what it was put on before
    create sequence public.given_up;
    grant usage on sequence public.given_up to public;
    create function public.give_up() returns trigger language plpgsql security definer as $$
    begin
      if nextval('public.given_up') <= ${String(times)} then
        raise exception 'given up' using errcode = '${state}';
      end if;
      return new;
    end $$;
    create trigger give_up before ${verb} on ${table}
      for each row execute function public.give_up()`)
}

/** Ends the broker's connections, and takes their places. */
async function takeAll(url: string): Promise<Client[]> {
  const hogs: Client[] = []
  while (hogs.length < CONNECTIONS - 3) {
    const hog = new Client({ connectionString: url, application_name: 'hog' })
    hog.on('error', () => undefined)
    const isIn = await hog.connect().then(
      () => true,
      () => false,
    )
    if (isIn) hogs.push(hog)
    await hogs[0]?.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where application_name like 'procura %' order by random() limit 4`,
    )
  }
  return hogs
}

function fill(file: string): void {
  const octets = Buffer.alloc(1 << 20)
  try {
    for (;;) writeFileSync(file, octets, { flag: 'a' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}

/** A PostgreSQL that cannot write its log ends; whoever watches over it starts it again. */
async function startAgain(): Promise<void> {
  const { postgres } = world
  const isUp = await postgres.query('select 1').then(
    () => true,
    () => false,
  )
  if (isUp) return
  await postgres.kill()
  await postgres.start()
}
