/** Verifies a chain of delegations, from nothing but its tokens, the root keys and the time. */
import type { Refusal } from './outcome.ts'
import { readChain } from './reading.ts'
import {
  audiences,
  authorities,
  delegates,
  depths,
  holders,
  parents,
  presenter,
  principals,
  purposes,
  signatures,
  standings,
  times,
} from './steps.ts'
import type { VerifiedChain, Verifying } from './verified.ts'

export { rootKeysOf, type RootKeys } from './keys.ts'
export { type Outcome, OUTCOMES, isParseOutcome, type Refusal } from './outcome.ts'
export { parentNeeded, partsOf } from './reading.ts'
export type { ChainToken, HopToken, RootToken } from './token.ts'
export type { Presenter, Standing, VerifiedChain, VerifiedHop, Verifying } from './verified.ts'

/**
 * Runs the steps in their order; the first that fails decides, and within a step the token nearest
 * the root. Reads no clock and nothing outside its argument; never throws for what stands in a token.
 *
 * Who gives no `presenter` has not learnt that the chain authorizes anybody; no call was looked at.
 */
export function verifyChain(chain: Verifying): VerifiedChain | Refusal {
  const read = readChain(chain.tokens, chain.ancestors)
  if (!read.ok) return read
  const { tokens } = read
  const unproven =
    signatures(tokens, chain) ??
    parents(tokens) ??
    depths(tokens) ??
    principals(tokens) ??
    holders(tokens)
  if (unproven) return unproven

  const narrowed = authorities(tokens, chain.repeatConstraints ?? false)
  if (!narrowed.ok) return narrowed
  const { hops } = narrowed
  const refused =
    purposes(tokens, chain.purposes) ??
    delegates(tokens, chain.delegates) ??
    times(hops, chain.now) ??
    presenter(tokens, chain.presenter) ??
    standings(tokens, chain.standing) ??
    audiences(tokens, chain.issuer)
  if (refused) return refused

  const [{ sub: sponsor, consentId, instanceId }] = tokens
  return { ok: true, sponsor, consentId, instanceId, hops }
}
