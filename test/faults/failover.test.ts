/** The database fails over to one that had every commit first; the old one goes on, for those who still ask it. */
import { Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { Client } from 'pg'
import { beforeAll, expect, it } from 'vitest'
import { canonical } from '../../src/domain/json.ts'
import { signedFor } from '../attack/two-brokers.ts'
import { type BrokerProcess, COMPILED, startBroker } from '../scenario/broker.ts'
import { eventually } from '../scenario/house.ts'
import { expectClearAnswers, expectSound } from './audit.ts'
import { ASK, one, outcomesOf, R_SECONDS, slowest, underLoad } from './load.ts'
import { aStandbyOf, type Standby } from './standby.ts'
import { ANSWERED_MS, INPUTS } from './surviving.ts'
import { aFaultWorld, agentsAt, type FaultWorld } from './world.ts'

const BODY = canonical(ASK.refund)

/** An issuance takes its time, so that something can happen meanwhile. */
const SLOWLY = `
  create function public.slowly() returns trigger language plpgsql as $$
  begin
    if new.event_type = 'issuance' then perform pg_sleep(1.5); end if;
    return new;
  end $$;
  create trigger slowly before insert on ledger.leaf for each row execute function public.slowly()`

/** Ends a connection of the delivering side whose commit waits for the standby: it has happened, here alone. */
const END_WAITING = `
  do $$ begin
    loop
      perform pg_terminate_backend(pid) from pg_stat_activity
      where wait_event = 'SyncRep' and application_name = 'procura cdp';
      exit when found;
      perform pg_sleep(0.02), pg_stat_clear_snapshot();
    end loop;
  end $$`

let world: FaultWorld
let standby: Standby
/** The one that is led to the new database, and one that nobody tells. */
let [broker, stale] = [] as unknown as [BrokerProcess, BrokerProcess]
beforeAll(async () => {
  world = await aFaultWorld()
  standby = await aStandbyOf(world.postgres)
  broker = await startBroker({ ...world.env, ...COMPILED })
  stale = await startBroker({
    ...{ ...world.env, DATABASE_URL: world.postgres.url, PROCURA_ISSUER: broker.issuer },
    PROCURA_CHECKPOINTS: `${world.home.dataDir}/seen-by-the-stale-one`,
  })
}, 120_000)

it('[F29, F37] a commit of which nobody can say that the standby has it is not told, though the old one shows it', async () => {
  const { postgres, home } = world
  const { kim } = await agentsAt(home, broker.issuer)
  await postgres.query(SLOWLY)
  const asking = one(kim, ASK.refund)
  await eventually('an issuance being laid down', async () => {
    const rows = await postgres.query(
      `select from pg_stat_activity where wait_event = 'PgSleep' and backend_type = 'client backend'`,
    )
    return rows.length > 0
  })
  standby.line.blackHole()
  await postgres.query(END_WAITING)
  const call = await asking
  standby.line.heal()
  await postgres.query('drop function public.slowly() cascade')
  expect(call).toMatchObject({ outcome: 'unavailable', input: 'ledger' })
  await eventually('a yes', async () => (await one(kim, ASK.refund)).outcome === 'active')
}, 60_000)

it('[F37] what was acknowledged is at the new one; the old one takes no write, and its brokers give nothing out', async () => {
  const { line, postgres, home } = world
  const agents = await agentsAt(home, broker.issuer)
  // Signed while both asked the same database: good for the stale one as well.
  const held = await Promise.all([1, 2, 3].map(() => signedFor(agents.kim, broker.issuer, BODY)))
  const { calls, recoveryMs } = await underLoad(agents, async () => {
    // From here on the old one is alone, and does not know that it is old.
    standby.line.blackHole()
    await pause(2500)
    await standby.promote()
    line.leadTo(standby.port)
    line.reset()
    standby.line.reset()
  })
  expectClearAnswers(calls, INPUTS)
  expect(outcomesOf(calls)['active'], 'the positive control').toBeGreaterThan(15)
  expect(outcomesOf(calls)['unavailable'], 'it was felt').toBeGreaterThan(0)
  expect(slowest(calls)).toBeLessThan(ANSWERED_MS)
  expect(recoveryMs).toBeLessThan(R_SECONDS * 1000)
  await eventually('being ready', async () => (await agents.failing()) === null)

  expect(await Promise.all(held.map(statusAtTheStale))).toEqual([503, 503, 503])
  expect(await isWritten(postgres.url), 'a write at the old one').toBe(false)

  stale.signal('SIGKILL')
  await stale.ended
  await expectSound({ ...world, postgres: { ...postgres, ...standby } }, broker.issuer, calls)
}, 180_000)

async function statusAtTheStale(headers: Readonly<Record<string, string>>): Promise<number> {
  const url = `http://127.0.0.1:${String(stale.port)}/v1/credentials`
  const answer = await fetch(url, { method: 'POST', headers, body: BODY })
  await answer.arrayBuffer()
  return answer.status
}

/** Whether a write there is acknowledged, within two seconds. */
async function isWritten(url: string): Promise<boolean> {
  const socket = new Socket()
  const client = new Client({ connectionString: url, stream: () => socket })
  client.on('error', () => undefined)
  await client.connect()
  const written = client.query('create table public.unseen ()').then(
    () => true,
    () => false,
  )
  return await Promise.race([written, pause(2000, false)]).finally(() => socket.destroy())
}
