/** One target is down or hangs: what it was asked is cleared up, and the others notice nothing. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { createCircuit } from '../../src/delivery/circuit.ts'
import { newId } from '../../src/domain/ids.ts'
import type { Targets } from '../../src/delivery/targets.ts'
import { now, until } from '../delivery/bench.ts'
import { aWorld, issue, ORDERS, stateOf, stop, type World } from '../delivery/world.ts'
import { eventually } from '../scenario/house.ts'
import { expectSound } from './audit.ts'
import { ASK, type Call, one, outcomesOf, slowest, underLoad } from './load.ts'
import { aFaultyBroker, type FaultyBroker } from './world.ts'

/** All that is asked of one target, in the spec's words. */
const DEADLINE_MS = 10_000

describe('[F49] a target that', () => {
  let world: FaultyBroker
  const all: Call[] = []
  beforeAll(async () => {
    world = await aFaultyBroker()
  })
  // Others have theirs at the same server.
  const logins = () =>
    world.target.query(
      `select from pg_roles where rolname like 'cb\\_%'
         and shobj_description(oid, 'pg_authid') = $1`,
      [`procura ${world.issuer} orders-db`],
    )

  it('does not answer before it makes anything: 504 in time, and nothing is spent', async () => {
    const { targetLine, ana, kim } = world
    targetLine.blackHole()
    const [call, other] = await Promise.all([one(ana, ASK.count), one(kim, ASK.refund)])
    targetLine.heal()
    expect(call).toMatchObject({ outcome: 'downstream_timeout', status: 504 })
    expect(call.ms).toBeLessThan(DEADLINE_MS)
    expect(other, 'another target').toMatchObject({ outcome: 'active' })
    await eventually('it being given back', async () => (await spent()) === 0)
    await expectBack()
    all.push(call, other)
  }, 60_000)

  it.each(['reset', 'silence'] as const)(
    'makes it, and whose answer is lost by %s: 502 or 504 in time; it is found by its name and ended',
    async (how) => {
      const { targetLine, ana } = world
      const lost = targetLine.loseAnswerTo(/create role/, how)
      const calling = one(ana, ASK.count)
      await lost
      const call = await calling
      expect(['downstream_failed', 'downstream_timeout']).toContain(call.outcome)
      expect(call.ms).toBeLessThan(DEADLINE_MS)
      await eventually('its end', async () => {
        const rows = await world.postgres.query<{ n: number }>(
          `select count(*) as n from procura.v_credential where ended_at is null
           and target = 'orders-db' and state <> 'active'`,
        )
        return rows[0]?.n === 0
      })
      await expectBack()
      all.push(call)
    },
    60_000,
  )

  it('cannot be reached under load keeps nobody else waiting, is soon not waited for, and comes back', async () => {
    const { targetLine, kim, ana } = world
    // On a machine that has other things to do everybody waits: here it is seen how long.
    const control = await underLoad({ kim, ana }, () => pause(2000))
    const { calls, recoveryMs } = await underLoad({ kim, ana }, async () => {
      targetLine.blackHole()
      await pause(8000)
      targetLine.heal()
    })
    const to = (run: typeof kim) => calls.filter(({ by }) => by === run)
    expect(outcomesOf(to(kim))).toEqual({ active: to(kim).length })
    expect(to(kim).length, 'she went on').toBeGreaterThan(50)
    const usual = slowest(control.calls.filter(({ by }) => by === kim))
    expect(slowest(to(kim))).toBeLessThan(2000 + usual)
    // What hangs takes up all the room there is for it, until it is left alone.
    const outcomes = new Set(to(ana).map(({ outcome }) => outcome))
    expect(['active', 'downstream_timeout', 'unavailable']).toEqual(
      expect.arrayContaining([...outcomes]),
    )
    expect(outcomes).toContain('downstream_timeout')
    const quick = to(ana).filter(({ outcome, ms }) => outcome !== 'active' && ms < 1000)
    expect(quick.length, 'told at once that it hangs').toBeGreaterThan(5)
    expect(recoveryMs).toBeLessThan(12_000)
    all.push(...control.calls, ...calls)
  }, 90_000)

  it('[I1, I2, I3, I20] did all that leaves nothing, and the ledger verifies', async () => {
    await expectSound(world, world.issuer, all)
    await eventually('no login being left', async () => (await logins()).length === 0, 90)
  }, 180_000)

  async function spent(): Promise<number> {
    const [row] = await world.postgres.query<{ n: number }>(
      `select used as n from procura.budget where account = $1`,
      [world.ana.consent],
    )
    return row?.n ?? -1
  }

  async function expectBack(): Promise<void> {
    const call = await one(world.ana, ASK.count)
    expect(call).toMatchObject({ outcome: 'active' })
    if (call.id !== null) await world.ana.client.giveBack(call.id)
  }
})

describe('[F49] a sweep', () => {
  it('ends what is over at one target while another hangs with more than it has lanes for', async () => {
    const world = await aWorld()
    const claims = await Promise.all(Array.from({ length: 30 }, () => issue(world, ORDERS)))
    const { lease } = await issue(world)
    for (const each of [...claims.map((it) => it.lease.id), lease.id]) {
      await stop(world.db, 'credential', each)
    }
    const sweeper = world.aSweeper(hangingAt(world, 'orders'))
    const began = performance.now()
    sweeper.start()
    await until(async () => (await stateOf(world.db, lease.id))?.state === 'revoked')
    expect(performance.now() - began).toBeLessThan(3000)
    const stopped = performance.now()
    await sweeper.stop()
    expect(performance.now() - stopped, 'a stop has a deadline').toBeLessThan(9000)
    const [row] = await world.db.query<{ n: number }>(
      'select count(*)::int as n from procura.lease where claim is not null',
    )
    expect(row?.n, 'claimed by nobody').toBe(0)
    expect(await stateOf(world.db, claims[0]?.lease.id ?? '')).toMatchObject({
      end_reason: expect.toBeOneOf(['revoked', null]) as string,
    })
  }, 30_000)

  it('[F62] that is killed in the middle leaves what another ends, each once', async () => {
    const world = await aWorld()
    const consent = newId('con', now())
    const many = Array.from({ length: 60 }, () => issue(world, { ...ORDERS, consent_id: consent }))
    await Promise.all(many)
    await stop(world.db, 'consent', consent)
    const [dying, other] = [world.aSweeper(hangingAt(world, 'orders')), world.aSweeper()]
    const lost = dying.sweepOnce()
    await until(async () => {
      const rows = await world.db.query('select from procura.lease where claim is not null')
      return rows.length > 0
    })
    const inHalfAMinute = new Date(Date.now() + 31_000)
    expect(await other.sweepOnce(inHalfAMinute)).toBe(60)
    expect(world.fake.live.size).toBe(0)
    await dying.stop()
    await lost
    const leaves = await world.db.query(`select from ledger.leaf where event_type = 'remediation'`)
    expect(leaves).toHaveLength(60)
  }, 60_000)

  function hangingAt({ targets }: World, name: string): Targets {
    const target = targets.get(name)
    if (target === undefined) throw new Error(`no target ${name}`)
    const revoke = (_name: string, signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(new Error('it never answered'))
        })
      })
    return new Map([...targets, [name, { ...target, revoke }]])
  }
})

describe('[F49] what hangs', () => {
  it('is left alone after three times, asked once in a while by one, and by all when it is back', async () => {
    let time = 0
    const circuit = createCircuit(() => time)
    let asked = 0
    const hangs = () =>
      circuit.run(
        () => {
          asked += 1
          time += 2500
          return Promise.reject(new Error('hung'))
        },
        () => new Error('left alone'),
      )
    const answers = () =>
      circuit.run(
        () => Promise.resolve('yes'),
        () => new Error('left alone'),
      )
    for (let n = 0; n < 3; n += 1) await expect(hangs()).rejects.toThrow('hung')
    await expect(hangs()).rejects.toThrow('left alone')
    expect(asked).toBe(3)
    time += 1001
    const both = await Promise.allSettled([hangs(), answers()])
    expect(both.map((it) => (it.status === 'rejected' ? String(it.reason) : 'yes'))).toEqual([
      'Error: hung',
      'Error: left alone',
    ])
    await expect(answers()).rejects.toThrow('left alone')
    time += 2001
    await expect(answers()).resolves.toBe('yes')
    await expect(answers()).resolves.toBe('yes')
  })

  it('is asked again as soon when many waited for it at once as when three did', async () => {
    let time = 0
    const circuit = createCircuit(() => time)
    const lost: ((error: Error) => void)[] = []
    const hangs = () =>
      circuit.run(
        () => new Promise<never>((_resolve, reject) => lost.push(reject)),
        () => new Error('left alone'),
      )
    const all = Promise.allSettled(Array.from({ length: 40 }, hangs))
    time += 3000
    for (const reject of lost) reject(new Error('hung'))
    await all
    await expect(hangs()).rejects.toThrow('left alone')
    time += 1001
    const answers = circuit.run(
      () => Promise.resolve('yes'),
      () => new Error('left alone'),
    )
    await expect(answers).resolves.toBe('yes')
  })

  it('is not what refuses at once, however often', async () => {
    const circuit = createCircuit(() => 0)
    const refuses = () =>
      circuit.run(
        () => Promise.reject(new Error('no')),
        () => new Error('left alone'),
      )
    for (let n = 0; n < 20; n += 1) await expect(refuses()).rejects.toThrow('no')
  })
})
