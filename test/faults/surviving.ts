/** A fault under light load, and what holds after every one of them, whatever it was. */
import { expect } from 'vitest'
import { eventually } from '../scenario/house.ts'
import { expectClearAnswers } from './audit.ts'
import { type Call, type Journal, outcomesOf, R_SECONDS, slowest, underLoad } from './load.ts'
import { agentsAt, type FaultyBroker } from './world.ts'

export const INPUTS = ['ledger', 'database', 'replay_store']
/** Whoever waits for a database is answered by then, and if it be with a no. */
export const ANSWERED_MS = 5000

interface Survived extends Journal {
  /** Those that began and were answered while the fault was on, and not with a credential. */
  readonly refused: readonly Call[]
}

/** @param all of this broker's; what holds after all of its faults is looked at once, after the last */
export async function survives(
  world: FaultyBroker,
  all: Call[],
  fault: () => Promise<unknown>,
): Promise<Survived> {
  const journal = await underLoad(await agentsAt(world.home, world.issuer), fault)
  const { calls, during, recoveryMs } = journal
  all.push(...calls)
  expectClearAnswers(calls, INPUTS)
  expect(outcomesOf(calls)['active'], 'the positive control').toBeGreaterThan(15)
  expect(slowest(calls), 'an answer').toBeLessThan(ANSWERED_MS)
  expect(recoveryMs).toBeLessThan(R_SECONDS * 1000)
  await eventually('being ready', async () => (await world.failing()) === null)
  return { ...journal, refused: during.filter(({ outcome }) => outcome !== 'active') }
}
