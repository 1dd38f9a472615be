/** The parts behind the fake front: each does the least that its promise allows. */
import type { Approval } from '../../src/domain/approval.ts'
import type { Issued } from '../../src/domain/lease.ts'
import type { Outcome } from '../../src/domain/ports.ts'
import { BrokerError, unavailable } from '../../src/domain/problems.ts'
import type { RequestKey } from '../../src/domain/request.ts'
import { Secret } from '../../src/domain/secret.ts'
import type {
  Delegation,
  Front,
  FrontIdentity,
  Given,
  Registered,
  Repeatable,
} from '../../src/http/front.ts'
import { aLease, found, reading } from './front-readers.ts'
import { stopping } from './front-stopping.ts'
import { aConsent, ANSWERS, aSettled, DIGEST, IDS, NOW } from './settled.ts'

export const PASSWORD = 'correct-horse-battery'
type Parts = Pick<
  Front,
  | 'broker'
  | 'decider'
  | 'agents'
  | 'consents'
  | 'delegations'
  | 'approvals'
  | 'revocation'
  | 'credentials'
  | 'proxy'
  | 'decisions'
  | 'chains'
  | 'ledger'
  | 'introspect'
>

export function parts(identity: FrontIdentity): Parts {
  return {
    broker: broker(identity),
    decider: decider(identity),
    agents: agents(),
    consents: consents(),
    delegations: delegations(),
    approvals: approvals(),
    revocation: stopping(),
    ...reading,
  }
}

/** The tool says how it will go: `sql.query` is given, the others are what they are named for. */
function broker(identity: FrontIdentity): Front['broker'] {
  return {
    async requestCredential(presented, read): Promise<Outcome> {
      await identity.authenticate(presented)
      const { tool } = read()
      const decision = IDS.decision
      switch (tool) {
        case 'sql.query':
          return { kind: 'issued', lease: aLease(), credential: anIssued() }
        case 'told.before':
          return { kind: 'issued', lease: aLease(), credential: null }
        case 'ask.first':
          return {
            ...{ kind: 'ask', decision, argsHash: DIGEST, level: 'L2', rules: ANSWERS.ask.rules },
            ...{ approval: { id: IDS.approval, expiresAt: NOW }, isRepeat: false },
          }
        case 'deny.always':
          return { kind: 'deny', decision, answer: ANSWERS.deny, isRepeat: false }
        case 'deny.unclear':
          return { kind: 'deny', decision, answer: ANSWERS.none, isRepeat: false }
        case 'ledger.down':
          throw unavailable('ledger', new Error(`connect to db with ${PASSWORD}`))
        default:
          throw new TypeError(`select * from secrets -- ${PASSWORD} in /srv/app.ts`)
      }
    },
  }
}

function decider(identity: FrontIdentity): Front['decider'] {
  return {
    async explain(presented, read) {
      await identity.authenticate(presented)
      return aSettled(read().tool === 'sql.query' ? 'allow' : 'deny')
    },
    async evaluate(_act, { request: { tool, approval } }) {
      if (tool === 'ledger.down') throw unavailable('ledger')
      if (tool === 'no.such') throw new BrokerError('unknown_tool')
      if (approval !== undefined) throw new BrokerError('approval_expired')
      const kind = { 'sql.query': 'allow', 'ask.first': 'ask', 'deny.unclear': 'none' }[tool]
      return Promise.resolve(aSettled((kind ?? 'deny') as 'allow' | 'ask' | 'none' | 'deny'))
    },
    async standing(consent, agent) {
      if (consent !== IDS.consent || agent !== IDS.agent) throw new BrokerError('not_found')
      return Promise.resolve({ consent: aConsent(), sponsorGroups: [], readAt: NOW })
    },
  }
}

function agents(): Front['agents'] {
  const workload = { kind: 'spiffe', id: 'spiffe://example/desk' } as const
  const desk = { sponsor: IDS.sponsor, name: 'desk', description: null, workload }
  const known: Registered[] = [
    { agent: { id: IDS.agent, ...desk, status: 'active', createdAt: NOW }, eventId: IDS.event },
  ]
  const tell = once<Registered>()
  return {
    register: (person, wanted, { key }) =>
      Promise.resolve().then(() =>
        tell(key, () => {
          const at = { sponsor: person.person.id, status: 'active', createdAt: NOW } as const
          const id = `${IDS.agent.slice(0, -2)}z${String(known.length)}` as typeof IDS.agent
          const made = { agent: { id, ...at, ...wanted }, eventId: IDS.event }
          known.unshift(made)
          return made
        }),
      ),
    list: (_person, { limit, before }) => {
      const from = known.filter(({ agent }) => before === null || agent.id < before)
      const items = from.slice(0, limit)
      const next = from.length > limit ? (items.at(-1)?.agent.id ?? null) : null
      return Promise.resolve({ items, next })
    },
    find: (_person, id) => found(known.find(({ agent }) => agent.id === id)),
  }
}

function consents(): Front['consents'] {
  const tell = once<Given>()
  const given: Given = { consent: aConsent(), consentJwt: 'eyJ', eventId: IDS.event }
  return {
    give: (_person, terms, { key }) =>
      Promise.resolve().then(() =>
        tell(key, () => ({ ...given, consent: aConsent({ terms, uses: 0 }) })),
      ),
    list: () => Promise.resolve({ items: [given], next: null }),
    find: (_person, id) => found(id === IDS.consent ? given : undefined),
  }
}

function approvals(): Front['approvals'] {
  let approval = anApproval()
  const tell = once<{ approval: Approval; evidence: string; eventId: string }>()
  const find = (id: string) => found(id === approval.id ? approval : undefined)
  return {
    list: () => Promise.resolve({ items: [approval], next: null }),
    find: (_person, id) => find(id),
    findForAgent: (_instance, id) => find(id),
    async cancel(_instance, id) {
      await find(id)
      approval = { ...approval, status: 'cancelled' }
      return approval
    },
    async decide(_person, id, { decision, bindingHash }, { key }) {
      await find(id)
      return tell(key, () => {
        if (bindingHash !== approval.bindingHash) throw new BrokerError('args_mismatch')
        if (approval.status !== 'pending') throw new BrokerError('conflict')
        const status = decision === 'approve' ? 'approved' : 'denied'
        approval = { ...approval, status, approver: IDS.sponsor, approvedUntil: NOW }
        return { approval, evidence: 'eyJ', eventId: IDS.event }
      })
    },
  }
}

const anIssued = (): Issued => ({
  kind: 'postgres',
  credential: {
    ...{ host: 'db', port: 5432, database: 'shop', username: 'cb_a' },
    ...{ password: new Secret(PASSWORD), sslmode: 'disable' },
  },
  expiresAt: NOW,
})

export function anApproval(): Approval {
  return {
    ...{ id: IDS.approval, status: 'pending', bindingHash: DIGEST, asked: ANSWERS.ask.asked },
    ...{ agent: IDS.agent, sponsor: IDS.sponsor, consent: IDS.consent, decision: IDS.decision },
    ...{ shown: { tool: 'sql.query', arguments: {} }, justification: 'Please.' },
    ...{ createdAt: NOW, expiresAt: NOW, approvedUntil: null, approver: null, consumedBy: null },
  }
}

/** Told again under the same key; refused when it was another request. */
function once<T extends object>() {
  const kept = new Map<string, { readonly fingerprint: string; readonly value: T }>()
  return (key: RequestKey | null, make: () => T): T & Repeatable => {
    const name = key && `${key.caller} ${key.route} ${key.key}`
    const earlier = name === null ? undefined : kept.get(name)
    if (earlier && earlier.fingerprint !== key?.fingerprint) {
      throw new BrokerError('idempotency_mismatch')
    }
    if (earlier) return { ...earlier.value, isRepeat: true }
    const value = make()
    if (key && name !== null) kept.set(name, { fingerprint: key.fingerprint, value })
    return { ...value, isRepeat: false }
  }
}

const HOP = IDS.decision.replace('dec_', 'dlg_') as Delegation['id']
function aDelegation(): Delegation {
  const { chain } = aSettled('allow').decision
  const hop = { ...chain.hops[0], depth: 1, tokenHash: DIGEST, delegation: HOP, jkt: 'jkt-1' }
  return {
    ...{ id: HOP, hops: [chain.hops[0], hop] },
    effective: { ...chain.effective, delMaxDepth: 2 },
    ...{ consent: IDS.consent, expiresAt: NOW, status: 'active', eventId: IDS.event },
  }
}

/** A chain that begins with `root.` is registered; any other does not hold. */
function delegations(): Front['delegations'] {
  return {
    register: (_instance, chain) =>
      chain.startsWith('root.')
        ? Promise.resolve({ ...aDelegation(), isReplay: false, isRepeat: false })
        : Promise.reject(
            new BrokerError('chain_invalid', {
              shown: { outcome: 'malformed', hop: 0, isUnreadable: true },
            }),
          ),
    list: () => Promise.resolve({ items: [aDelegation()], next: null }),
    find: (_instance, id) =>
      id === aDelegation().id
        ? Promise.resolve({ ...aDelegation(), budgets: [] })
        : Promise.reject(new BrokerError('not_found')),
    received: (id, agent) =>
      id === aDelegation().id && agent === IDS.agent
        ? Promise.resolve({ consent: IDS.consent, sponsor: IDS.sponsor })
        : Promise.reject(new BrokerError('not_found')),
  }
}
