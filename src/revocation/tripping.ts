/** A canary was touched: whoever did it is stopped, and that is one record with the event. */
import type { Pool } from 'pg'
import type { LedgerEntry, Revocation } from '../domain/entry.ts'
import type {
  AgentId,
  CredentialId,
  DecisionId,
  EventId,
  InstanceId,
  PersonId,
} from '../domain/ids.ts'
import type { Ledger } from '../domain/ports.ts'
import { bySystem } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { eachTried, type Rows, rowsIn, rowsOf } from './rows.ts'
import { stop, type StoppingOptions } from './stopping.ts'

export interface TrippingOptions extends StoppingOptions {
  /** Of the front. */
  readonly pool: Pool
  /** Of the front. */
  readonly ledger: Ledger
  readonly onStopped: (revocation: Revocation) => void
  readonly onTripped: (tripped: Tripped) => void
}

export type Tripped =
  | { readonly kind: 'tool'; readonly decision: DecisionId; readonly instance: InstanceId }
  | {
      readonly kind: 'credential'
      readonly credential: CredentialId
      /** Who is frozen. */
      readonly holder: AgentId | PersonId
      /** As whoever planted it has named it. */
      readonly label: string
    }

export interface Tripping {
  /**
   * Stops the run that asked for a canary in this decision, for good. A run that is stopped already
   * stays stopped as it was, and raises nothing.
   *
   * @throws BrokerError `unavailable` when it could not be recorded
   */
  trip(decision: DecisionId): Promise<void>
  /** Whatever was decided seconds ago, and not tripped: its process died, or the log was not there. */
  tripMissed(): Promise<void>
}

export function createTripping(options: TrippingOptions): Tripping {
  const { tenant, pool, ledger, onStopped, onTripped } = options

  async function trip(decision: DecisionId): Promise<void> {
    const { value } = await ledger.record(null, async (tx) => {
      const { stopped, ...done } = await stopRun(options, tx, decision)
      return { ...done, value: stopped, answer: null }
    })
    if (value === null) return
    onStopped(value.revocation)
    onTripped({ kind: 'tool', decision, instance: value.instance })
  }

  return {
    trip,
    async tripMissed() {
      const rows = await rowsOf(pool)<{ id: DecisionId }>({
        name: 'canary_missed',
        text: `select d.id from procura.decision d where d.tenant = $1 and d.canary
                 and d.at < clock_timestamp() - interval '2 s'
                 and not exists (select from procura.stop s
                   where s.tenant = $1 and s.kind = 'instance' and s.id = d.instance)
               order by d.id limit 100`,
        values: [tenant],
      })
      await eachTried(rows, ({ id }) => trip(id))
    },
  }
}

interface Done {
  readonly stopped: { readonly revocation: Revocation; readonly instance: InstanceId } | null
  readonly entries: readonly LedgerEntry[]
}

async function stopRun(options: StoppingOptions, tx: Tx, decision: DecisionId): Promise<Done> {
  const { instance, owner, event } = await askedBy(rowsIn(tx), options.tenant, decision)
  const act = bySystem('canary')
  const { revocation, entries } = await stop(options, tx, {
    ...{ target: { kind: 'instance', id: instance }, stopId: instance, owner },
    ...{ cause: 'compromised', reason: null, act, person: null },
  })
  if (revocation === null) return { stopped: null, entries: [] }
  const tripped = { type: 'canary_tripped', act, revocation, causeEvent: event } as const
  return { stopped: { revocation, instance }, entries: [tripped, ...entries] }
}

/** Whose decision it was. */
async function askedBy(rows: Rows, tenant: string, decision: DecisionId) {
  const [found] = await rows<{ instance: InstanceId; owner: PersonId; event: EventId }>({
    name: 'canary_asked_by',
    text: `select d.instance, a.sponsor as owner, d.event_id as event from procura.decision d
           join procura.agent a on a.tenant = $1 and a.id = d.agent
           where d.tenant = $1 and d.id = $2 and d.canary and d.instance is not null`,
    values: [tenant, decision],
  })
  if (found === undefined) throw new Error('no run asked for a canary in this decision')
  return found
}
