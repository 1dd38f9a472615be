/** A chain as somebody shows it: its tokens read, its missing ancestors found, every check made that can be. */
import type { Pool } from 'pg'
import type { RootKeys } from '../chain/keys.ts'
import { isParseOutcome, type Refusal } from '../chain/outcome.ts'
import { parentNeeded, partsOf, readChain } from '../chain/reading.ts'
import type { ChainToken, HopToken } from '../chain/token.ts'
import type { Presenter, VerifiedChain, VerifiedHop } from '../chain/verified.ts'
import { verifyChain } from '../chain/verify.ts'
import { ask } from '../db/ask.ts'
import type { Deny } from '../domain/decision.ts'
import type { AgentId } from '../domain/ids.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Principal } from '../domain/question.ts'
import { tokensTo, type TokensOptions } from './tokens.ts'
import { delegatesIn, misboundIn, standingIn, type State, stateQuery, wantedOf } from './state.ts'

export interface ShownOptions extends TokensOptions {
  readonly issuer: string
  /** Of the front. */
  readonly pool: Pool
  readonly rootKeys: RootKeys
  /** Whether a purpose is in the vocabulary that is in force. */
  readonly isPurpose: (purpose: string) => boolean
  /** What the rules in force say to a hop that is made; `null` is nothing against it. */
  readonly mayDelegate: (hop: Handed, now: Date) => Promise<Said>
}

/** One hop, as the rules are asked about it. */
export interface Handed {
  readonly delegator: Extract<Principal, { kind: 'agent' }>
  readonly delegate: AgentId
  readonly isSameSponsor: boolean
  readonly scopes: readonly string[]
  readonly purpose: string
  readonly depth: number
}
interface Said {
  readonly refused: Pick<Deny, 'reason' | 'detail' | 'stoppedBy'> | null
  readonly policyEpoch: number
}

/** A chain of a root and at least one hop, verified. */
export interface ShownChain {
  readonly verified: VerifiedChain
  /** Of the rules that its new hops were put to; `null` where there was none. */
  readonly policyEpoch: number | null
  /** The last hop, as its holder received it. */
  readonly leaf: VerifiedHop & { readonly token: HopToken }
}

/** In place of `presenter`: whoever registers a hop must be the one that signed it. */
export type ShownBy = { readonly holder: Presenter } | { readonly signer: string }

/**
 * Reads and verifies what was shown. What may change until it is on record is looked at again there.
 *
 * @throws BrokerError `chain_invalid` with outcome, hop and field; `payload_too_large`, `unavailable`
 */
export async function showChain(
  options: ShownOptions,
  text: string,
  by: ShownBy,
): Promise<ShownChain> {
  const { tenant, pool, issuer, rootKeys, isPurpose } = options
  const tokens = good(partsOf(text)).tokens
  const ancestors = await ancestorsOf(options, tokens)
  const read = good(readChain(tokens, ancestors)).tokens
  if (read.length === 1) {
    throw chainInvalid({ outcome: 'malformed', hop: 0, detail: 'A root alone is no chain' })
  }
  const [state] = await ask<State>(pool, stateQuery(tenant, wantedOf(read)))
  if (state === undefined) throw new Error('the database did not answer')
  const verified = good(
    verifyChain({
      ...{ tokens, ancestors, issuer, rootKeys, now: state.now },
      purposes: { has: isPurpose },
      delegates: delegatesIn(state, read),
      ...('holder' in by && { presenter: by.holder }),
      standing: standingIn(state),
    }),
  )
  const leaf = verified.hops.at(-1)
  if (leaf?.token.kind !== 'hop') throw new TypeError('a chain ends with a hop')
  if (!state.is_root_known) {
    throw chainInvalid({ outcome: 'parent_unknown', hop: 0, detail: 'The root is not on record' })
  }
  if ('signer' in by && leaf.token.signerJkt !== by.signer) {
    const detail = 'A hop is registered by the one that signed it'
    throw chainInvalid({ outcome: 'holder_binding_failed', hop: leaf.depth, detail })
  }
  checkKeys(state, read)
  const policyEpoch = await checkRules(options, verified, state)
  return { verified, policyEpoch, leaf: { ...leaf, token: leaf.token } }
}

/** A key is one run's: a hop to it is a hop to that run's agent. */
export function checkKeys(state: State, tokens: readonly ChainToken[]): void {
  const misbound = misboundIn(state, tokens)
  if (misbound === undefined) return
  const detail = 'The key is held by a run of another agent'
  throw chainInvalid({ outcome: 'holder_binding_failed', hop: misbound.depth, detail })
}

/** Every hop that is not on record yet is put to the rules that are in force now; their epoch. */
async function checkRules(
  { mayDelegate }: ShownOptions,
  { hops, sponsor }: VerifiedChain,
  state: State,
): Promise<number | null> {
  let epoch: number | null = null
  for (const [at, { tokenHash, clientId: delegate, depth, purpose, effective }] of hops.entries()) {
    const above = hops[at - 1]
    if (above === undefined || Object.hasOwn(state.registered, tokenHash)) continue
    const { clientId: id, jkt } = above
    const model = state.instances[jkt]?.model ?? null
    const { refused, policyEpoch } = await mayDelegate(
      {
        delegator: { kind: 'agent', hop: above.depth, id, sponsor, model },
        ...{ delegate, scopes: effective.scopes, purpose, depth },
        isSameSponsor: state.agents[delegate]?.sponsor === sponsor,
      },
      state.now,
    )
    epoch = policyEpoch
    if (refused === null) continue
    const { reason, detail, stoppedBy } = refused
    const evaluation = { status: 'evaluated', unavailableInput: null } as const
    const shown = { detail, stoppedBy, evaluation, ...(reason !== undefined && { reason }) }
    throw new BrokerError('access_denied', { shown })
  }
  return epoch
}

/** What the first one given rests on, root first; none where that is not known. */
async function ancestorsOf(options: ShownOptions, tokens: readonly string[]): Promise<string[]> {
  const { parHash } = good(parentNeeded(tokens))
  return parHash === null ? [] : await tokensTo(options, parHash)
}

function good<Result extends { readonly ok: true }>(result: Result | Refusal): Result {
  if (result.ok) return result
  if (result.isTooLarge) {
    throw new BrokerError('payload_too_large', { shown: { detail: result.detail } })
  }
  throw chainInvalid(result)
}

export function chainInvalid(refusal: Omit<Refusal, 'ok'>): BrokerError {
  const { outcome, hop, field, detail } = refusal
  return new BrokerError('chain_invalid', {
    message: outcome,
    shown: {
      ...{ outcome, hop, detail },
      ...(field !== undefined && { field }),
      ...(isParseOutcome(outcome) && { isUnreadable: true }),
    },
  })
}
