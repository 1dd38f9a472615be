/** Whether compiled rules answer as Cedar does: tried on made-up requests before they may decide. */
import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs'
import type { Asking } from './asking.ts'
import { compile, type Quick, type Sources } from './compile.ts'
import { Unsupported } from './compile-expression.ts'
import { drawLots } from './compile-lots.ts'
import { requestsFor } from './compile-requests.ts'
import type { Policies } from './opinion.ts'

export interface Comparison {
  /** Why Cedar alone is to decide; `null` when there is no reason. */
  readonly why: string | null
  readonly compared: number
  /** Of these: those that were left to Cedar. */
  readonly left: number
}

export interface Comparing {
  readonly sources: Sources
  readonly cedar: Pick<Policies, 'authorize'>
  readonly requests: number
  /** Milliseconds of some clock. Whoever is not done by then has not shown anything. */
  readonly elapsedMs: () => number
  readonly limitMs: number
  readonly seed?: number
  /** Another compiler, to see that its mistakes are found. */
  readonly compileBy?: typeof compile
}

const SEED = 20_261_121

/** Compiles a set and holds it against Cedar. What is not the same once is not used at all. */
export function comparison(comparing: Comparing): Comparison {
  const { sources, cedar, requests, compileBy = compile, seed = SEED } = comparing
  let quick: Quick
  try {
    quick = compileBy(sources)
  } catch (error) {
    if (!(error instanceof Unsupported)) throw error
    return { why: error.message, compared: 0, left: 0 }
  }
  const next = requestsFor(sources, drawLots(seed))
  const started = comparing.elapsedMs()
  let left = 0
  for (let compared = 0; compared < requests; compared += 1) {
    if (comparing.elapsedMs() - started > comparing.limitMs) {
      return { why: 'comparing it with Cedar took too long', compared, left }
    }
    const asking = next()
    // Permits alone are asked for after a denial: that is the same work, and looked at less often.
    const by = compared % 8 === 7 ? 'permits' : 'all'
    const answer = quick(asking, by)
    if (answer === null) left += 1
    const found = answer && differenceOf(answer, cedar.authorize(asking, by))
    if (found !== null) return { why: `${placeOf(asking)}: ${found}`, compared, left }
  }
  return { why: null, compared: requests, left }
}

const placeOf = ({ principal, action }: Asking) => `${action.id} for ${principal.type}`

/** How two answers differ, by rules and never by values; `null` when they do not. */
export function differenceOf(quick: AuthorizationAnswer, slow: AuthorizationAnswer): string | null {
  if (quick.type === 'failure' || slow.type === 'failure') {
    return quick.type === slow.type ? null : 'only one of them takes the request'
  }
  const [one, other] = [quick.response, slow.response]
  if (one.decision !== other.decision) return `compiled ${one.decision}, Cedar ${other.decision}`
  const reasons = [one, other].map(({ diagnostics }) => listed(diagnostics.reason))
  if (reasons[0] !== reasons[1]) return `compiled by ${reasons.join(', Cedar by ')}`
  const errors = [one, other].map(({ diagnostics }) =>
    listed(diagnostics.errors.map(({ policyId }) => policyId)),
  )
  return errors[0] === errors[1] ? null : `compiled failed in ${errors.join(', Cedar in ')}`
}

const listed = (ids: readonly string[]) => [...ids].sort().join(' ') || 'none'
