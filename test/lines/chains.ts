/** Roots, hops and exchanges in the lines' words: what a valid one would be, and what is changed in it. */
import { randomUUID } from 'node:crypto'
import { heldBy, hopToken, type NewHop } from '../../src/chain/sign.ts'
import type { Narrowing } from '../../src/domain/authority.ts'
import type { JsonObject } from '../../src/domain/json.ts'
import type { Holder } from '../identity/signing.ts'
import { type Adaptor, type Agent, type AgentCall, memberOf, type TokenCall } from './adaptor.ts'
import { forge, type Forged, insideOf, seconds } from './forging.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const CHAIN_TYPE = 'urn:procura:token-type:delegation-chain'

/** Tokens, root first, with the key that may add to them. */
export interface Held {
  readonly tokens: readonly string[]
  readonly key: Holder
}

export interface HopWanted extends Narrowing {
  /** The key that the hop is bound to: the delegate's, unless another is tried. */
  readonly to?: Holder
  readonly lasts?: number
  readonly exp?: number
}

export function chainsOf(adaptor: Adaptor) {
  const { TK, asAgent } = adaptor

  /** A root of this run. */
  async function aRoot(agent: Agent, call: TokenCall = {}): Promise<Held> {
    const answer = await TK(agent, { ...call, form: { delegation_root: 'true', ...call.form } })
    return { tokens: [memberOf(answer, 'delegation_root')], key: agent.key }
  }

  /** What the holder hands on of it to a run of another agent. */
  function hop(held: Held, delegate: Agent, wanted: HopWanted = {}): Held {
    const { to = delegate.key, lasts = 600, exp, ...authority } = wanted
    const above = heldBy(held.tokens)
    if (!above.ok) throw new Error(above.detail)
    const now = seconds()
    const made = hopToken({
      ...{ parent: above.held, delegate: { clientId: delegate.id, jkt: to.jkt }, authority },
      ...{ iat: now, exp: exp ?? Math.min(now + lasts, above.held.exp), jti: randomUUID() },
      key: held.key.privateKey,
    } satisfies NewHop)
    if (!made.ok) throw new Error(`${made.outcome}: ${made.detail}`)
    return { tokens: [...held.tokens, made.token], key: to }
  }

  /** A hop like a valid one, but for what is changed in it; signed by the holder unless `by` says who. */
  function forged(held: Held, delegate: Agent, changed: Forged): Held {
    const { tokens } = hop(held, delegate)
    const { header, claims } = insideOf(tokens.at(-1) ?? '')
    const token = forge({ holder: held.key, header, claims }, changed)
    return { tokens: [...held.tokens, token], key: delegate.key }
  }

  /** `POST /v1/delegations`, by the run that signed the last of these. */
  const DG = (delegator: Agent, held: Held | string, call: AgentCall = {}) => {
    const chain = typeof held === 'string' ? held : held.tokens.join('~')
    return asAgent(delegator, 'POST', '/v1/delegations', { body: { chain }, ...call })
  }

  /** A chain for the session of whoever received its last hop. */
  const TX = (agent: Agent, held: Held | string, call: TokenCall = {}) => {
    const form = {
      ...{ grant_type: EXCHANGE, consent_id: undefined, subject_token_type: CHAIN_TYPE },
      subject_token: typeof held === 'string' ? held : held.tokens.join('~'),
      ...call.form,
    }
    return TK(agent, { ...call, form })
  }

  const subSession = async (agent: Agent, held: Held | string) =>
    memberOf(await TX(agent, held), 'access_token')

  /** An agent with a root, whose consent allows hops. */
  async function aDelegator(terms: JsonObject = {}): Promise<{ agent: Agent; root: Held }> {
    const agent = await adaptor.anAgent({ terms: { ...REFUNDING_ON, ...terms } })
    return { agent, root: await aRoot(agent) }
  }

  return { aRoot, hop, forged, DG, TX, subSession, aDelegator }
}

const REFUNDING_ON: JsonObject = {
  ...{ tools: ['payments.refund'], purpose: 'support.refunds', max_hops: 3, max_uses: 1000 },
  constraints: [{ key: 'payments.refund#args.amount', max: 10_000 }],
}
