/** Mixed load: bursts of stories for a fault to fall into, and streams of them, closed or at a fixed rate. */
import { largeRefund, oneUse, query, refund, refusedRefund, retired, withdrawn } from './acts.ts'
import { type Cast, newRun, READING, REFUNDING, type Run } from './cast.ts'
import { type Random, randomOf } from './random.ts'

/** Two runs each, so that one's work does not wait for the other's. */
export interface Runs {
  readonly kim: readonly Run[]
  readonly ana: readonly Run[]
}

const RUNS = 2

/** @throws Error when there is no consent to be had */
export async function startRuns(cast: Cast): Promise<Runs> {
  const some = async (agent: Cast['kim'], terms: typeof READING) => {
    const runs = await Promise.all(Array.from({ length: RUNS }, () => newRun(cast, agent, terms)))
    return runs.filter((run) => run !== null)
  }
  const runs = { kim: await some(cast.kim, REFUNDING), ana: await some(cast.ana, READING) }
  if (runs.kim.length + runs.ana.length < 2 * RUNS) throw new Error('a sponsor gave up')
  return runs
}

type Story = (cast: Cast, runs: Runs, random: Random) => Promise<void>

const one = (runs: readonly Run[], random: Random): Run => {
  const run = runs[random.below(runs.length)]
  if (run === undefined) throw new Error('nobody runs')
  return run
}

const STORIES = {
  refund: (cast, { kim }, random) => refund(cast, one(kim, random), random),
  query: (cast, { ana }, random) => query(cast, one(ana, random), random),
  largeRefund: (cast, { kim }, random) => largeRefund(cast, one(kim, random)),
  refusedRefund: (cast, { kim }, random) => refusedRefund(cast, one(kim, random)),
  oneUse: (cast) => oneUse(cast),
  withdrawn: (cast) => withdrawn(cast),
  retired: (cast) => retired(cast),
} satisfies Record<string, Story>

/** All of them at once, the frequent ones several times. */
const BURST: readonly Story[] = [
  ...[STORIES.refund, STORIES.refund, STORIES.refund, STORIES.query, STORIES.query, STORIES.query],
  ...[STORIES.largeRefund, STORIES.refusedRefund, STORIES.oneUse, STORIES.withdrawn],
  STORIES.retired,
]

/** Resolves when every call of it has its answer, or was given up. */
export async function burst(cast: Cast, runs: Runs, random: Random): Promise<void> {
  const seeds = BURST.map(() => random.below(2 ** 32))
  await Promise.all(BURST.map((story, at) => story(cast, runs, randomOf(seeds[at] ?? 0))))
}

/** Of a hundred stories, how many are of which kind. */
const MIX: readonly (readonly [share: number, story: Story])[] = [
  [54, STORIES.refund],
  [30, STORIES.query],
  [7, STORIES.largeRefund],
  [4, STORIES.refusedRefund],
  [2, STORIES.oneUse],
  [2, STORIES.withdrawn],
  [1, STORIES.retired],
]

export async function aStory(cast: Cast, runs: Runs, random: Random): Promise<void> {
  let left = random.below(100)
  for (const [share, story] of MIX) {
    if (left < share) {
      await story(cast, runs, random)
      return
    }
    left -= share
  }
}
