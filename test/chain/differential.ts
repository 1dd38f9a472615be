/** The verifier against the oracle, over as many chains as one likes. Used by the suite and by `npm run fuzz`. */
import type { KeyObject } from 'node:crypto'
import { type VerifiedChain, verifyChain, type Verifying } from '../../src/chain/verify.ts'
import { admits } from '../../src/domain/authority.ts'
import type { Json } from '../../src/domain/json.ts'
import { allows, judge, type Verdict, type World } from './oracle.ts'
import type { Written } from './oracle-reading.ts'
import { aCall, type Dice, diceOf, pick } from './random-authority.ts'
import { type Edit, EDITS } from './chain-edits.ts'
import { aScene, type Scene, written } from './random-chains.ts'

/** A case, made again from two numbers and a list of names. */
export interface Recipe {
  readonly seed: number
  readonly edits: readonly (readonly [name: string, seed: number])[]
}
export interface Disagreement extends Recipe {
  readonly ours: string
  readonly theirs: string
  readonly tokens: readonly string[]
}

/** What narrowing looks at comes more often: most of the rest is refused long before. */
const NAMES = Object.keys(EDITS).flatMap((name) =>
  /bound|scope|purpose|allowed/.test(name) ? [name, name, name, name] : [name],
)
/** Chains that begin alike: signing them costs once. */
const ALIKE = 24

export function recipeOf(seed: number, n: number): Recipe {
  const dice = diceOf(Math.imul(seed, 31) + n)
  const count = [0, 1, 1, 1, 1, 2, 2, 3][dice(8)] ?? 1
  const edits = Array.from({ length: count }, () => [pick(dice, NAMES), dice(2 ** 31)] as const)
  return { seed: seed + Math.floor(n / ALIKE), edits }
}

/** Both opinions on one chain; `null` where they are the same. */
export function differ(recipe: Recipe): { disagreement: Disagreement | null; outcome: string } {
  const scene = sceneOf(recipe)
  const all = written(scene)
  const leftOut = Math.min(scene.leftOut, all.length)
  const [tokens, known] = scene.isForgotten ? [all.slice(leftOut), 0] : [all, leftOut]
  const theirs = judge(tokens, known, scene.world)
  const result = verifyChain(verifying(tokens, known, scene.world))
  const ours: Verdict = result.ok ? { outcome: 'valid', hop: null } : verdictOf(result)
  const isSame = said(ours) === said(theirs)
  const strayed = result.ok ? strays(tokens, result, diceOf(recipe.seed)) : null
  if (isSame && strayed === null) return { disagreement: null, outcome: theirs.outcome }
  const told = { ours: strayed ?? said(ours), theirs: said(theirs) }
  const compact = tokens.map((token) => token.compact)
  return { disagreement: { ...recipe, ...told, tokens: compact }, outcome: theirs.outcome }
}

function sceneOf({ seed, edits }: Recipe): Scene {
  const scene = aScene(seed)
  for (const [name, own] of edits) {
    const edit: Edit | undefined = EDITS[name]
    edit?.(scene, diceOf(own))
  }
  return scene
}

const verdictOf = ({
  outcome,
  hop,
  field,
}: {
  outcome: string
  hop: number | null
  field?: string
}) => (field === undefined ? { outcome, hop } : { outcome, hop, field })
const said = ({ outcome, hop, field }: Verdict) =>
  [outcome, hop ?? '-', field ?? ''].join(' ').trim()

function verifying(tokens: readonly Written[], known: number, world: World): Verifying {
  const { issuer, roots, now, purposes, delegates, presenter, states, repeat } = world
  const compact = tokens.map((token) => token.compact)
  const keys = Object.entries(roots).map(([kid, key]): [string, KeyObject] => [kid, key.publicKey])
  return {
    ...{ tokens: compact.slice(known), ancestors: compact.slice(0, known), issuer },
    ...{ rootKeys: new Map(keys), now: new Date(now * 1000), repeatConstraints: repeat },
    ...(purposes && { purposes: new Set(purposes) }),
    ...(delegates && { delegates: new Set(delegates) }),
    ...(presenter && { presenter }),
    standing: (token) => states.find(({ hop }) => hop === (token?.depth ?? null))?.state ?? 'good',
  }
}

const CALLS = 6
/** A call that is inside of what is left, and not inside of every token, or the reverse. */
function strays(tokens: readonly Written[], { hops }: VerifiedChain, dice: Dice): string | null {
  const leaf = hops.at(-1) ?? hops[0]
  for (let n = 0; n < CALLS; n += 1) {
    const { tool, purpose, value } = aCall(dice)
    const args = value === undefined ? {} : { a: value as Json }
    const call = { tool: { name: tool }, arguments: args, facts: {} }
    const isInside = admits(leaf.effective, call, purpose) === null
    if (isInside !== allows(tokens, { tool, purpose, value })) {
      return `a call of ${tool} for ${purpose} with ${JSON.stringify(value)}`
    }
  }
  return null
}

/** The same disagreement with as few edits as will do. */
export function shrunk(found: Disagreement): Disagreement {
  for (const at of found.edits.keys()) {
    const edits = found.edits.filter((_edit, n) => n !== at)
    const { disagreement } = differ({ seed: found.seed, edits })
    if (disagreement) return shrunk(disagreement)
  }
  return found
}

/** Cases `from` to `to` of a seed: how often each outcome came, and the first disagreement. */
export function compare(seed: number, from: number, to: number) {
  const outcomes = new Map<string, number>()
  for (let n = from; n < to; n += 1) {
    const { disagreement, outcome } = differ(recipeOf(seed, n))
    if (disagreement) return { outcomes, disagreement: shrunk(disagreement) }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  }
  return { outcomes, disagreement: null }
}
