/** One broker, never restarted, whose database goes through everything that a database can go through. */
import { setTimeout as pause } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../scenario/house.ts'
import { expectClearAnswers, expectSound } from './audit.ts'
import { ASK, type Call, one, slowest } from './load.ts'
import type { FaultProxy } from './proxy.ts'
import { ANSWERED_MS, INPUTS, survives } from './surviving.ts'
import { aFaultyBroker, type FaultyBroker } from './world.ts'

let world: FaultyBroker
beforeAll(async () => {
  world = await aFaultyBroker()
})

const all: Call[] = []

describe('a broker whose database', () => {
  it('[F27] is shut down at once and started again, thrice, at random, loses nothing acknowledged', async () => {
    const { postgres } = world
    const { refused } = await survives(world, all, async () => {
      for (let n = 0; n < 3; n += 1) {
        await postgres.stopAtOnce()
        await pause(Math.random() * 800)
        await postgres.start()
        await pause(Math.random() * 800)
      }
    })
    expect(refused.length).toBeGreaterThan(0)
  }, 90_000)

  it('[F27] is killed, every process of it, loses nothing acknowledged', async () => {
    const { postgres } = world
    await survives(world, all, async () => {
      await postgres.kill()
      await pause(500)
      await postgres.start()
    })
  }, 90_000)

  it('[F33] is frozen answers within five seconds that it cannot, then at once, and goes on by itself', async () => {
    const { postgres } = world
    const { during, refused } = await survives(world, all, async () => {
      postgres.freeze()
      await pause(6000)
      expect(await world.failing()).toMatch(/ledger|database/)
      postgres.thaw()
    })
    expect(during.filter(({ outcome }) => outcome === 'active')).toEqual([])
    // Once that is known, nobody waits for it: those are answered in no time.
    const quick = refused.filter(({ ms }) => ms < 1000)
    expect(quick.length).toBeGreaterThan(refused.length / 4)
  }, 90_000)

  it('[F33] cannot be reached, without being told, answers within five seconds and recovers within five', async () => {
    const { line } = world
    const { during, recoveryMs } = await survives(world, all, async () => {
      line.blackHole()
      await pause(6000)
      line.heal()
    })
    expect(during.filter(({ outcome }) => outcome === 'active')).toEqual([])
    expect(recoveryMs).toBeLessThan(5000)
  }, 90_000)

  it('[F33] was silent, and whose old connections stay so for ever, uses none of them again', async () => {
    const { line } = world
    const { recoveryMs } = await survives(world, all, async () => {
      line.blackHole()
      await pause(4000)
      line.forget()
      line.heal()
    })
    expect(recoveryMs).toBeLessThan(5000)
  }, 90_000)

  it('[F33] is 200 ms further away is slow, or says so', async () => {
    const { line, kim } = world
    line.delay(100)
    const calls = [await one(kim, ASK.refund)]
    line.heal()
    expect(slowest(calls)).toBeLessThan(2 * ANSWERED_MS)
    const isGiven = async () => {
      const call = await one(kim, ASK.refund)
      calls.push(call)
      return call.outcome === 'active'
    }
    await eventually('a yes', isGiven, 5)
    expectClearAnswers(calls, INPUTS)
    all.push(...calls)
  })

  it.each([
    [
      'reset',
      (line: FaultProxy) => {
        line.reset()
      },
    ],
    [
      'closed at one end',
      (line: FaultProxy) => {
        line.halfClose()
      },
    ],
    [
      'cut in the middle of an answer',
      (line: FaultProxy) => {
        line.truncate(3)
      },
    ],
    [
      'refused',
      (line: FaultProxy) => {
        line.refuse()
      },
    ],
  ])('[F33] has its connections %s is asked over new ones', async (_, spoil) => {
    const { line } = world
    await survives(world, all, async () => {
      spoil(line)
      await pause(500)
      line.heal()
    })
  })

  it('[I1, I2, I3, I7, I10] went through all that has lost and doubled nothing, and left nothing', async () => {
    await expectSound(world, world.issuer, all)
    world.broker.signal('SIGTERM')
    expect(await world.broker.ended, 'it was never restarted').toBe(0)
  }, 200_000)
})
