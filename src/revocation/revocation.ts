/** Ending things early: what is stopped stays stopped, and whatever rests on it is refused from then on. */
import type { Pool } from 'pg'
import type { Revocation } from '../domain/entry.ts'
import type { AgentId, ConsentId, RevocationId } from '../domain/ids.ts'
import type { ProvenPerson } from '../domain/person.ts'
import type { Deciding, Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { By } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { createInForce } from './in-force.ts'
import { createStore, type Revoked } from './store.ts'
import { stopAgent, stopConsent, type Stopped, type StoppingOptions } from './stopping.ts'

export interface RevocationOptions extends StoppingOptions {
  /** Of the front. */
  readonly pool: Pool
  /** Of the front. */
  readonly ledger: Ledger
  /** Told once a stop is on record, so that what is out there ends at once. Must not throw. */
  readonly onStopped: (revocation: Revocation) => void
}

export interface RevocationPart {
  readonly inForce: Deciding['revocation']['inForce']
  /** By its sponsor or an operator. Again: the first answer. @throws BrokerError `not_found` */
  withdraw(person: ProvenPerson, id: ConsentId, by: By): Promise<Revoked>
  /** The agent, its runs and its consents. Again: the first answer. @throws BrokerError `not_found` */
  retire(person: ProvenPerson, id: AgentId, by: By): Promise<Revoked>
  /** With what its targets have confirmed so far. @throws BrokerError `not_found` */
  find(person: ProvenPerson, id: RevocationId): Promise<Revoked>
}

export function createRevocation(options: RevocationOptions): RevocationPart {
  const { tenant, pool, ledger, onStopped } = options
  const store = createStore(tenant, pool)

  /** One of two that stop the same thing records it; both are told the same. */
  async function stop(stopping: (tx: Tx) => Promise<Stopped>): Promise<Revoked> {
    const { value } = await ledger.record(null, async (tx) => {
      const { id, revocation, entries } = await stopping(tx)
      return { entries, value: { id, revocation }, answer: null }
    })
    if (value.revocation !== null) onStopped(value.revocation)
    const { revoked } = await store.byId(value.id)
    return revoked
  }

  return {
    inForce: createInForce(tenant),

    withdraw: (person, id, { act }) => stop((tx) => stopConsent(options, tx, { person, id, act })),

    retire: (person, id, { act }) => stop((tx) => stopAgent(options, tx, { person, id, act })),

    async find({ person }, id) {
      const { sponsor, revoked } = await store.byId(id)
      const seesAll = person.roles.includes('operator') || person.roles.includes('auditor')
      if (!seesAll && sponsor !== person.id) throw new BrokerError('not_found')
      return revoked
    },
  }
}
