/** Ending things early: what is stopped stays stopped, and whatever rests on it is refused from then on. */
import type { Pool } from 'pg'
import type { Revocation, StopKind } from '../domain/entry.ts'
import type { AgentId, ConsentId, CredentialId, PersonId, RevocationId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { ProvenPerson } from '../domain/person.ts'
import type { Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { Act, By, RequestKey } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { createDecoys, type Decoys } from './decoys.ts'
import { createFreezing, type Freezing } from './freezing.ts'
import { createInForce, type InForce } from './in-force.ts'
import { ownerFor } from './owning.ts'
import { type Reached, reachedOf, reachOf, type ReachedRow } from './reach.ts'
import { rowsIn, rowsOf } from './rows.ts'
import { createStore, type Revoked } from './store.ts'
import { type Unconfirmed, unconfirmed, type UnconfirmedPage } from './unconfirmed.ts'
import { countsOf, stop, type Stopping, type StoppingOptions } from './stopping.ts'
import { createTripping, type Tripped, type Tripping } from './tripping.ts'

export interface RevocationOptions extends StoppingOptions {
  /** Of the front. */
  readonly pool: Pool
  /** Of the front. */
  readonly ledger: Ledger
  /** Told once a stop is on record, so that what is out there ends at once. Must not throw. */
  readonly onStopped: (revocation: Revocation) => void
  /** Told once for each canary that was touched, when that is on record. Must not throw. */
  readonly onTripped: (tripped: Tripped) => void
}

export interface RevocationPart extends InForce, Freezing, Tripping, Decoys {
  /** By its sponsor or an operator. Again: the first answer. @throws BrokerError `not_found` */
  withdraw(person: ProvenPerson, id: ConsentId, by: By): Promise<Revoked>
  /** The agent, its runs and its consents. Again: the first answer. @throws BrokerError `not_found` */
  retire(person: ProvenPerson, id: AgentId, by: By): Promise<Revoked>
  /** Anything of theirs. Again: the first answer. @throws BrokerError `not_found` */
  revoke(person: ProvenPerson, wanted: Wanted, by: By): Promise<Stop>
  /** What that would stop if it were done now. Nothing is. @throws BrokerError `not_found` */
  reach(person: ProvenPerson, target: Wanted['target']): Promise<Reach>
  /** One token, by whom it was given to or is meant for. Its holder is known; again: nothing more. */
  revokeToken(token: HeldToken, act: Act): Promise<void>
  /** With what its targets have confirmed so far. @throws BrokerError `not_found` */
  find(person: ProvenPerson, id: RevocationId): Promise<Revoked>
  /** What is over for us and not yet for its target: theirs, or all for operators and auditors. */
  unconfirmed(
    person: ProvenPerson,
    page: UnconfirmedPage,
  ): Promise<{ items: Unconfirmed[]; next: CredentialId | null }>
}

export interface Wanted {
  readonly target: { readonly kind: Exclude<StopKind, 'root' | 'session'>; readonly id: string }
  readonly cause: string
  readonly reason: string | null
}

export interface Stop extends Revoked {
  /** False where it had been stopped before. */
  readonly isNew: boolean
  /** The key has done this before. */
  readonly isRepeat: boolean
}

export interface Reach {
  readonly counts: Readonly<Record<string, number>>
  readonly reached: readonly Reached[]
}

/** A token that was verified: a session, a root, or what was minted. */
export interface HeldToken {
  readonly kind: 'session' | 'root' | 'credential'
  /** `crd_`; for a session and a root the hash of the token. */
  readonly id: string
  /** Of a session, its `jti`; otherwise as `id`. */
  readonly stopId: string
  readonly sponsor: PersonId
}

export function createRevocation(options: RevocationOptions): RevocationPart {
  const { tenant, pool } = options
  const store = createStore(tenant, pool)
  const record = recorder(options, store)

  /** As the routes of each kind have it: theirs to withdraw, or an operator's act. */
  const end = (person: ProvenPerson, target: Wanted['target'], { act }: By) =>
    record(null, async (tx) => {
      const owner = await ownerFor(rowsIn(tx), tenant, person, target)
      const cause = owner === person.person.id ? 'withdrawn' : 'operator_action'
      return { target, stopId: target.id, owner, cause, reason: null, act, person }
    })

  return {
    ...createInForce(tenant),
    ...createFreezing(options),
    ...createTripping(options),
    ...createDecoys(options),

    withdraw: (person, id, by) => end(person, { kind: 'consent', id }, by),
    retire: (person, id, by) => end(person, { kind: 'agent', id }, by),

    revoke: (person, { target, cause, reason }, { act, key }) =>
      record(key, async (tx) => {
        const owner = await ownerFor(rowsIn(tx), tenant, person, target)
        return { target, stopId: target.id, owner, cause, reason, act, person }
      }),

    async reach(person, { kind, id }) {
      await ownerFor(rowsOf(pool), tenant, person, { kind, id })
      const rows = await rowsOf(pool)<ReachedRow>(reachOf(tenant, kind, id, null))
      const reached = rows.map(reachedOf)
      return { counts: countsOf(reached), reached }
    },

    async revokeToken({ kind, id, stopId, sponsor: owner }, act) {
      const cause = kind === 'session' ? 'session_revoked' : 'withdrawn'
      const stopping = { target: { kind, id }, stopId, owner, cause, reason: null, act }
      await record(null, () => Promise.resolve({ ...stopping, person: null }))
    },

    async find({ person }, id) {
      const { sponsor, revoked } = await store.byId(id)
      const seesAll = person.roles.includes('operator') || person.roles.includes('auditor')
      if (!seesAll && sponsor !== person.id) throw new BrokerError('not_found')
      return revoked
    },

    unconfirmed: (person, page) => unconfirmed(pool, tenant, person, page),
  }
}

type Recording = (key: RequestKey | null, stopping: (tx: Tx) => Promise<Stopping>) => Promise<Stop>

/** One of two that stop the same thing records it; both are told the same. */
function recorder(options: RevocationOptions, store: ReturnType<typeof createStore>): Recording {
  const { ledger, onStopped } = options
  return async (key, stopping) => {
    const earlier = (await ledger.find(key)) as Kept | null
    if (earlier !== null) {
      const { revoked } = await store.byId(earlier.id)
      return { ...revoked, isNew: earlier.is_new, isRepeat: true }
    }
    const { value } = await ledger.record(key, async (tx) => {
      const { id, revocation, entries } = await stop(options, tx, await stopping(tx))
      const answer: Kept = { id, is_new: revocation !== null }
      return { entries, value: { id, revocation }, answer }
    })
    if (value.revocation !== null) onStopped(value.revocation)
    const { revoked } = await store.byId(value.id)
    return { ...revoked, isNew: value.revocation !== null, isRepeat: false }
  }
}

/** What is kept under a key. */
interface Kept extends JsonObject {
  readonly id: RevocationId
  readonly is_new: boolean
}
