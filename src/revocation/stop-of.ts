/** The first thing that does not hold, from the sponsor down, and how that is told. */
import { type Chain, type Hop, leafOf } from '../domain/chain.ts'
import type { Deny, StoppedBy } from '../domain/decision.ts'

/** What has to hold: from the sponsor to who acts. */
export type Resting = Pick<Chain, 'consent' | 'hops' | 'session'>

export interface State {
  /** Ids of what was stopped, of all that the chain rests on. */
  readonly stopped: readonly string[]
  /** Agents that are not active, or not there. */
  readonly retired: readonly string[]
  /** Scopes that are frozen, and cover it; empty text: everything. */
  readonly frozen: readonly string[]
  readonly is_withdrawn: boolean | null
  readonly expires_at: Date | null
}

/** `null`: all of it holds. Expired before revoked, revoked before frozen: what is final comes first. */
export function stopOf(chain: Resting, state: State, now: Date): Deny | null {
  const { consent, hops } = chain
  const over = hops.find(({ expiresAt }) => expiresAt <= now)
  if (over) return ended('expired', agentAt(over))

  const isStopped = (id: string | null) => id !== null && state.stopped.includes(id)
  if (isStopped(consent.sponsor)) {
    return ended('revoked', { hop: null, kind: 'sponsor', id: consent.sponsor })
  }
  const ofConsent = { hop: null, kind: 'consent', id: consent.id } as const
  if (isStopped(consent.id)) return ended('revoked', ofConsent)
  const gone = hops.find(
    ({ agent, instance, jkt, delegation, tokenHash }) =>
      state.retired.includes(agent) ||
      [agent, instance, jkt, delegation, tokenHash].some(isStopped),
  )
  if (gone) return ended('revoked', agentAt(gone))
  // Withdrawn with something else: with its agent, which was found before.
  if (state.is_withdrawn !== false) return ended('revoked', ofConsent)
  if (isStopped(chain.session)) return ended('revoked', agentAt(leafOf(chain)))

  if (state.expires_at === null || state.expires_at <= now) return ended('expired', ofConsent)
  return frozen(chain, state.frozen)
}

const agentAt = ({ depth, agent }: Hop): StoppedBy => ({ hop: depth, kind: 'agent', id: agent })

const NAMES = { sponsor: 'sponsor', consent: 'consent', agent: 'agent' } as const

function ended(outcome: 'revoked' | 'expired', stoppedBy: StoppedBy): Deny {
  const what = NAMES[stoppedBy.kind]
  const detail =
    outcome === 'revoked' ? `the ${what} was stopped` : `the time of the ${what} is over`
  return { kind: 'deny', code: 'chain_invalid', rules: [], stoppedBy, outcome, detail }
}

/** Of a tool, or of everything, nobody is to blame: the one who acts is told. */
function frozen(chain: Resting, scopes: readonly string[]): Deny | null {
  if (scopes.length === 0) return null
  const { sponsor } = chain.consent
  const agent = chain.hops.find((hop) => scopes.includes(hop.agent))
  const deny = (detail: string, stoppedBy: StoppedBy): Deny => {
    return { kind: 'deny', code: 'frozen', rules: [], stoppedBy, detail }
  }
  const leaf = agentAt(leafOf(chain))
  if (scopes.includes('')) return deny('everything is frozen', leaf)
  if (scopes.includes(sponsor)) {
    return deny('the sponsor is frozen', { hop: null, kind: 'sponsor', id: sponsor })
  }
  if (agent) return deny('the agent is frozen', agentAt(agent))
  const isTool = scopes.some((scope) => !scope.startsWith('spn_'))
  return deny(isTool ? 'the tool is frozen' : 'the sponsor of an agent is frozen', leaf)
}
