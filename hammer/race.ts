/** One race, and what came of it. */
import type { Cast } from './cast.ts'
import type { Random } from './random.ts'

/** What came of a round, in a word, and what must not have. */
export interface Round {
  readonly outcome: string
  readonly violations: readonly string[]
}
export type Race = (cast: Cast, random: Random) => Promise<Round>
