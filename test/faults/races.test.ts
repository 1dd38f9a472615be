/** A few rounds of each race; a thousand of each are `npm run hammer -- races`. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { RACES, runRace } from '../../hammer/races.ts'
import { setStage, type Stage } from '../../hammer/stage.ts'
import { outcomes as settled } from '../attack/two-brokers.ts'

const ROUNDS = 12
/** Of a machine that has other things to do. */
const TIMEOUT_MS = 120_000

let stage: Stage
beforeAll(async () => {
  stage = await setStage(2)
}, TIMEOUT_MS)
afterAll(async () => {
  await settled([stage.stop()])
}, TIMEOUT_MS)

const seed = Math.floor(Math.random() * 1e6)
const named = Object.entries(RACES)

it.each(named.filter(([name]) => name.startsWith('one')))(
  '[F60] %s is one for two brokers that are asked for it at once',
  async (_, race) => {
    const { outcomes, violations } = await runRace(stage, race, { rounds: ROUNDS, seed })
    expect(violations).toEqual([])
    expect(outcomes['failed'] ?? 0, 'the positive control').toBeLessThan(ROUNDS / 2)
  },
  TIMEOUT_MS,
)

it.each(named.filter(([name]) => !name.startsWith('one')))(
  '[F61] %s is the end of it: nothing is given that was asked for later, and nothing lives on',
  async (_, race) => {
    const met = new Set<string>()
    // Where chance has put the end on one side each time, there are more.
    for (let more = 0; more < 3 && met.size < 2; more += 1) {
      const how = { rounds: ROUNDS, seed: seed + more }
      const { outcomes, violations } = await runRace(stage, race, how)
      expect(violations).toEqual([])
      for (const outcome of Object.keys(outcomes)) met.add(outcome)
    }
    expect(met.size, `before and behind: ${[...met].join(', ')}`).toBeGreaterThan(1)
  },
  TIMEOUT_MS,
)

it('[F60, F61] and whoever looks from outside finds nothing amiss', async () => {
  const { findings, fresh } = await stage.check('always')
  expect(fresh).toEqual([])
  const looked = new Map(findings.map(({ id, looked: n }) => [id, n]))
  for (const id of ['I5', 'I6', 'I10']) expect(looked.get(id), id).toBeGreaterThan(ROUNDS)
}, 60_000)
