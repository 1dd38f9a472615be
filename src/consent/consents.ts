/** What sponsors allowed their agents. Given and withdrawn, never edited. */
import type { Pool } from 'pg'
import type { Standing } from '../domain/chain.ts'
import { authorityOf, type Consent, type Terms, termsBody } from '../domain/consent.ts'
import type { Constraint } from '../domain/constraint.ts'
import type { Deny } from '../domain/decision.ts'
import { digestOf } from '../domain/digest.ts'
import type { LedgerEntry } from '../domain/entry.ts'
import { type AgentId, type ConsentId, type EventId, newId } from '../domain/ids.ts'
import type { Signer } from '../domain/jws.ts'
import { identityOf, type Person, type ProvenPerson } from '../domain/person.ts'
import type { Ledger, OfSession } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { By } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { evidenceHashOf, signEvidence } from './evidence.ts'
import {
  type ConsentPage,
  createStore,
  type Given,
  insertConsent,
  refuseOtherRules,
  standingOf,
} from './store.ts'
import { checkExpiry, checkTerms, type Vocabulary } from './terms.ts'

export interface ConsentsOptions extends Vocabulary {
  readonly tenant: string
  /** Registers; what is asked here and decided elsewhere is read through `pdp`. */
  readonly pools: { readonly front: Pool; readonly pdp: Pool }
  readonly ledger: Ledger
  /** Signs `consent+jwt`. */
  readonly signer: Signer
  /** What the rules say to a sponsor who hands these tools on. */
  readonly mayConsent: (sponsor: Person, terms: Terms, now: Date) => Promise<Said>
  readonly openAccounts: (tx: Tx, account: string, bounds: readonly Constraint[]) => Promise<void>
  /** How far ahead a consent may end. */
  readonly daysMax: number
}
export type Refused = Pick<Deny, 'reason' | 'detail' | 'stoppedBy'>

export interface Said {
  /** `null` is a yes to all of them. */
  readonly refused: Refused | null
  readonly policyEpoch: number
}

export interface Consents {
  /**
   * Puts a consent on record. `isRepeat` when the key has done so before.
   *
   * @throws BrokerError `role_required`, `schema_violation`, `unknown_tool`, `unknown_purpose`,
   *   `not_found` (no active agent of this sponsor), `access_denied`, `decision_stale`
   */
  give(person: ProvenPerson, terms: Terms, by: By): Promise<Given & { readonly isRepeat: boolean }>
  /** Newest first: one's own; operators and auditors see all. `next` is the `before` that goes on. */
  list(
    person: ProvenPerson,
    which: ConsentPage,
  ): Promise<{ items: Given[]; next: ConsentId | null }>
  /** @throws BrokerError `not_found`, also for another's */
  find(person: ProvenPerson, id: ConsentId): Promise<Given>
  /** The one of an agent's that is named, whatever its status; else two that are active, at most. */
  ofAgent(agent: AgentId, named: ConsentId | null): Promise<readonly Consent[]>
  /** What a session rests on, whatever became of it: whether it still holds is not said here. */
  behind(of: OfSession): Promise<Standing>
  /** The same for somebody who asks. @throws BrokerError `not_found` where there is no such pair */
  standing(consent: ConsentId, agent: AgentId): Promise<Standing>
}

export function createConsents(options: ConsentsOptions): Consents {
  const { tenant, pools, ledger } = options
  const store = createStore(tenant, pools.front)
  const standingBehind = standingOf(pools.pdp, tenant)

  return {
    async give(person, terms, by) {
      if (!person.person.roles.includes('sponsor')) throw new BrokerError('role_required')
      const earlier = await ledger.find(by.key)
      if (earlier !== null) {
        return { ...(await store.byId((earlier as { id: ConsentId }).id)), isRepeat: true }
      }
      checkTerms(terms, options)
      const now = await store.activeAgent(terms.agent, person.person.id)
      checkExpiry(terms, now, options.daysMax)
      const { refused, policyEpoch } = await options.mayConsent(person.person, terms, now)
      if (refused !== null) throw denied(refused)
      const { value } = await ledger.record(by.key, async (tx) => {
        await refuseOtherRules(tx, tenant, policyEpoch)
        const made = await make(options, { person, terms, by }, tx.now)
        await insertConsent(tx, tenant, made.given)
        await options.openAccounts(tx, made.given.consent.id, authorityOf(terms).constraints)
        return { entries: [made.entry], value: made.given, answer: { id: made.given.consent.id } }
      })
      return { ...value, isRepeat: false }
    },

    list: (person, which) => store.list(seesAll(person) ? null : person.person.id, which),

    async find(person, id) {
      const given = await store.byId(id)
      if (seesAll(person) || given.consent.sponsor === person.person.id) return given
      throw new BrokerError('not_found')
    },

    ofAgent: (agent, named) => store.ofAgent(agent, named),

    async behind({ session: { consent, agent, delegation } }) {
      // Whoever received a hop is not the agent that the consent is for.
      const own = delegation === null ? agent : null
      const standing = await standingBehind({ consent, agent: own })
      if (standing !== null) return standing
      throw new BrokerError('chain_invalid', { shown: { outcome: 'revoked', hop: null } })
    },

    async standing(consent, agent) {
      const standing = await standingBehind({ consent, agent })
      if (standing !== null) return standing
      throw new BrokerError('not_found')
    },
  }
}

/** Evaluated, and a no. Member by member: a denial holds more than a caller is shown. */
function denied({ reason, detail, stoppedBy }: Refused): BrokerError {
  const evaluation = { status: 'evaluated', unavailableInput: null } as const
  const shown = { detail, stoppedBy, evaluation, ...(reason !== undefined && { reason }) }
  return new BrokerError('access_denied', { shown })
}

const seesAll = ({ person: { roles } }: ProvenPerson) =>
  roles.includes('operator') || roles.includes('auditor')

interface Wanted {
  readonly person: ProvenPerson
  readonly terms: Terms
  readonly by: By
}

/** The consent, the token that proves it, and its entry, which keeps what the sponsor was shown. */
async function make({ signer }: ConsentsOptions, { person, terms, by }: Wanted, now: Date) {
  const consent: Consent = {
    id: newId('con', now),
    sponsor: person.person.id,
    terms,
    termsHash: digestOf(termsBody(terms)),
    status: 'active',
    uses: 0,
    createdAt: now,
  }
  const eventId: EventId = newId('evt', now)
  const consentJwt = await signEvidence(consent, signer)
  const { address, userAgent } = by.origin
  const entry: LedgerEntry = {
    type: 'consent_granted',
    act: by.act,
    eventId,
    consent,
    evidenceHash: evidenceHashOf(consentJwt),
    sealed: {
      fields: ['person', 'shown', 'origin'],
      payload: {
        person: identityOf(person.person),
        shown: termsBody(terms),
        origin: { address, user_agent: userAgent },
      },
    },
  }
  return { given: { consent, consentJwt, eventId }, entry }
}
