/** F60, F61: two brokers are asked for one thing at once, or for what is being ended meanwhile; again and again. */
import { runChecker } from './final.ts'
import type { Race } from './race.ts'
import { randomOf } from './random.ts'
import { ONE_WINNER } from './races-once.ts'
import { ENDINGS } from './races-ending.ts'
import { setStage, type Stage, untilCalm } from './stage.ts'

export const RACES: Readonly<Record<string, Race>> = { ...ONE_WINNER, ...ENDINGS }

export interface Raced {
  /** How often each outcome was met. */
  readonly outcomes: Readonly<Record<string, number>>
  readonly violations: readonly string[]
}

/** Rounds under way at the same time. */
const LANES = 6

/** So many rounds of one race. Their seeds follow from `seed`. */
export async function runRace(
  { cast }: Pick<Stage, 'cast'>,
  race: Race,
  { rounds, seed }: { readonly rounds: number; readonly seed: number },
): Promise<Raced> {
  const outcomes: Record<string, number> = {}
  const violations: string[] = []
  let begun = 0
  const lane = async () => {
    while (begun < rounds) {
      begun += 1
      const own = seed * 1_000_003 + begun
      const round = await race(cast, randomOf(own))
      outcomes[round.outcome] = (outcomes[round.outcome] ?? 0) + 1
      violations.push(...round.violations.map((text) => `seed ${String(own)}: ${text}`))
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return { outcomes, violations }
}

/** All races, one after another, and then all invariants. @returns whether everything held */
export async function runRaces(rounds: number, seed: number): Promise<boolean> {
  const stage = await setStage(2)
  try {
    let isGood = true
    for (const [name, race] of Object.entries(RACES)) {
      const since = performance.now()
      const { outcomes, violations } = await runRace(stage, race, { rounds, seed })
      const seconds = ((performance.now() - since) / 1000).toFixed(0)
      const told = Object.entries(outcomes).map(([what, n]) => `${String(n)} ${what}`)
      const mark = violations.length === 0 ? '✓' : '✗'
      console.log(`${mark} ${name}, ${String(rounds)} rounds in ${seconds} s: ${told.join(', ')}`)
      for (const text of violations) console.log(`       ${text}`)
      if (violations.length > 0) isGood = false
    }
    await untilCalm(stage)
    const { fresh } = await stage.check('calm')
    for (const text of fresh) console.log(`✗ ${text}`)
    return (await runChecker(stage, CHECKER_MUTATIONS)) && fresh.length === 0 && isGood
  } finally {
    await stage.stop()
  }
}

/** The ledger of a long run is long, and each of them verifies it whole. */
const CHECKER_MUTATIONS = 20
