/** Chains of any length for the lines about them, and the refusals that those expect. */
import type { JsonObject } from '../../src/domain/json.ts'
import { REFUND } from '../scenario/house.ts'
import { chainsOf, type Held } from './chains.ts'
import type { World } from './house.ts'

export const AMOUNT = 'payments.refund#args.amount'
export const refund = (amount: number): JsonObject => ({
  tool: 'payments.refund',
  arguments: { ...REFUND, amount },
})
export const unreadable = (outcome: string, hop: number) =>
  ({ status: 400, code: 'chain_invalid', outcome, hop }) as const
export const refusedAt = (outcome: string, hop: number | null) =>
  ({ status: 403, code: 'chain_invalid', outcome, hop }) as const

/** A root and `depth` hops, each to another agent. */
export async function aChain(w: World, depth: number, terms: JsonObject = {}) {
  const chains = chainsOf(w)
  const { agent, root } = await chains.aDelegator({ max_hops: 7, ...terms })
  const agents = [agent]
  let held: Held = root
  for (let n = 0; n < depth; n += 1) {
    const next = await w.anAgent()
    held = chains.hop(held, next)
    agents.push(next)
  }
  const leaf = agents.at(-1) ?? agent
  return { ...chains, agent, root, held, agents, leaf, signer: agents.at(-2) ?? agent }
}
