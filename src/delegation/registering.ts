/** Putting hops on record: whoever stands above them is looked at again, in the turn. */
import type { VerifiedChain, VerifiedHop } from '../chain/verified.ts'
import { type Account, ofLifetime, ofSubtree, tighterTotals } from '../domain/accounts.ts'
import type { Hop } from '../domain/chain.ts'
import { termsOf } from '../domain/consent.ts'
import type { Constraint } from '../domain/constraint.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import { type DelegationId, newId } from '../domain/ids.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { refuseFrozen } from './frozen.ts'
import { rootAccount } from './roots.ts'
import { chainInvalid, checkKeys, type ShownChain } from './shown.ts'
import { delegatesIn, standingIn, type State, stateQuery, wantedOf } from './state.ts'
import { hopByHash, insertHop, type Registered } from './store.ts'
import { keepToken, type TokensOptions } from './tokens.ts'

export interface RegisteringOptions extends TokensOptions {
  readonly openAccounts: (tx: Tx, account: string, bounds: readonly Constraint[]) => Promise<void>
}

/** The leaf as registered, and what was put on record for it: nothing where all of it was. */
export interface Admitted {
  readonly leaf: Registered
  readonly entries: readonly LedgerEntry[]
}

/**
 * Registers every hop of the chain that is not on record.
 *
 * @throws BrokerError `chain_invalid` where something was stopped or ran out since it was verified,
 *   `decision_stale` where other rules are in force, `frozen`
 */
export async function admit(
  options: RegisteringOptions,
  tx: Tx,
  { verified, policyEpoch }: ShownChain,
  act: Act,
): Promise<Admitted> {
  const { tenant, openAccounts } = options
  const tokens = verified.hops.map(({ token }) => token)
  const { rows } = await tx.query<State>(stateQuery(tenant, wantedOf(tokens)))
  const [state] = rows
  if (state === undefined) throw new Error('the database did not answer')
  checkStanding(verified, state, tx.now)
  checkKeys(state, tokens)
  if (policyEpoch !== null && policyEpoch !== state.policy_epoch) {
    throw new BrokerError('decision_stale', { shown: { reason: 'policy_epoch' } })
  }

  const entries: LedgerEntry[] = []
  let above: Above = rootOf(verified, state)
  let leaf: Registered | null = null
  for (const hop of verified.hops.slice(1)) {
    const known = await hopByHash(tx, tenant, hop.tokenHash)
    if (known !== null) {
      above = leaf = known
      continue
    }
    const writing = hopUnder(above, hop, verified, tx.now)
    await refuseFrozen(tx, tenant, {
      sponsor: writing.sponsor,
      agents: writing.hops.map(({ agent }) => agent),
    })
    await insertHop(tx, tenant, writing)
    await keepToken(options, tx, { hash: hop.tokenHash, token: hop.token.compact })
    await openAccounts(tx, writing.id, writing.own)
    entries.push({
      ...{ type: 'delegation_registered', act, eventId: writing.eventId },
      ...{ sponsor: writing.sponsor, consent: writing.consent, path: writing },
    })
    above = leaf = writing
  }
  if (leaf === null) throw new TypeError('a root alone is no chain')
  return { leaf, entries }
}

/** What may have changed since: who is active, what was stopped, the time. In the order of the steps. */
function checkStanding({ hops }: VerifiedChain, state: State, now: Date): void {
  const tokens = hops.map(({ token }) => token)
  const delegates = delegatesIn(state, tokens)
  const stranger = hops.find(({ depth, clientId }) => depth > 0 && !delegates.has(clientId))
  if (stranger) {
    const detail = 'The delegate is not an active agent that the consent admits'
    throw chainInvalid({ outcome: 'delegate_not_allowed', hop: stranger.depth, detail })
  }
  const over = hops.find(({ exp }) => now.getTime() >= exp * 1000)
  if (over) {
    const detail = 'The time of a token is over'
    throw chainInvalid({ outcome: 'expired', hop: over.depth, field: 'exp', detail })
  }
  const standing = standingIn(state)
  const gone = [null, ...tokens].find((token) => standing(token) !== 'good')
  if (gone === undefined) return
  const hop = gone === null ? null : gone.depth
  throw chainInvalid({ outcome: 'revoked', hop, detail: 'It rests on something that was stopped' })
}

/** What a hop is placed under: the root, or a hop on record. */
type Above = Pick<Registered, 'hops' | 'effective' | 'accounts' | 'consent' | 'sponsor' | 'root'>

function rootOf(verified: VerifiedChain, { consent }: State): Above {
  const [root] = verified.hops
  if (consent === null || root.token.kind !== 'root') throw new Error('a chain without its consent')
  const account = rootAccount(root.token.jti, root.effective, { terms: termsOf(consent.terms) })
  const hop: Hop = {
    ...{ depth: 0, agent: root.clientId, instance: verified.instanceId, jkt: root.jkt },
    ...{ tokenHash: root.tokenHash, delegation: null, purpose: root.purpose },
    ...{ expiresAt: new Date(root.exp * 1000), model: null },
  }
  return {
    ...{ hops: [hop], effective: root.effective },
    accounts: account === null ? [] : [account],
    ...{ consent: verified.consentId, sponsor: verified.sponsor, root: root.tokenHash },
  }
}

function hopUnder(above: Above, hop: VerifiedHop, verified: VerifiedChain, now: Date) {
  const { token, effective } = hop
  if (token.kind !== 'hop') throw new TypeError('a root under something')
  const id: DelegationId = newId('dlg', now)
  // A total that is tighter than the one above has an account here; one that is repeated or inherited
  // counts there, where it runs out no later. But a lifetime is that of each token which has it.
  const tighter = tighterTotals(effective, above.effective)
  const own = [...ofSubtree(tighter), ...ofLifetime(effective.constraints)]
  const placed: Hop = {
    ...{ depth: hop.depth, agent: hop.clientId, instance: null, jkt: hop.jkt },
    ...{ tokenHash: hop.tokenHash, delegation: id, purpose: hop.purpose },
    ...{ expiresAt: new Date(hop.exp * 1000), model: null },
  }
  const [root, ...below] = above.hops
  return {
    ...{ id, own, effective, hops: [root, ...below, placed] as const },
    accounts: [...above.accounts.map(subtreeOnly), { id, bounds: own }],
    ...{ consent: verified.consentId, sponsor: verified.sponsor, root: above.root },
    ...{ parent: token.parHash, eventId: newId('evt', now) },
    ...{ registeredAt: now, expiresAt: new Date(hop.exp * 1000) },
  }
}

const subtreeOnly = ({ id, bounds }: Account): Account => ({ id, bounds: ofSubtree(bounds) })
