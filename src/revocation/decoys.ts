/** A decoy was shown to somebody: whoever held it is frozen, and that is one record with the event. */
import type { Pool } from 'pg'
import type { FreezeScope, LedgerEntry } from '../domain/entry.ts'
import {
  type AgentId,
  type CredentialId,
  type EventId,
  newId,
  type PersonId,
} from '../domain/ids.ts'
import type { Ledger } from '../domain/ports.ts'
import { bySystem } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { hold } from './freezing.ts'
import { eachTried, rowsIn, rowsOf } from './rows.ts'
import type { Tripped } from './tripping.ts'

export interface DecoysOptions {
  readonly tenant: string
  /** Of the front. */
  readonly pool: Pool
  /** Of the front. */
  readonly ledger: Ledger
  readonly onTripped: (tripped: Tripped) => void
}

export interface Decoys {
  /**
   * Freezes the holder of every decoy that was shown, to whichever process, and raises the event: once
   * for each. Whoever was frozen before stays so as they were.
   */
  tripSeen(): Promise<void>
}

export function createDecoys({ tenant, pool, ledger, onTripped }: DecoysOptions): Decoys {
  async function trip(id: CredentialId): Promise<void> {
    const { value } = await ledger.record(null, async (tx) => {
      const { tripped, entries } = await freezeHolder(tx, tenant, id)
      return { entries, value: tripped, answer: null }
    })
    if (value !== null) onTripped(value)
  }

  return {
    async tripSeen() {
      const rows = await rowsOf(pool)<{ id: CredentialId }>({
        name: 'decoys_seen',
        text: `select id from procura.canary
               where tenant = $1 and seen_at is not null and tripped_event is null
               order by seen_at limit 100`,
        values: [tenant],
      })
      await eachTried(rows, ({ id }) => trip(id))
    },
  }
}

interface Done {
  readonly tripped: Tripped | null
  readonly entries: readonly LedgerEntry[]
}

/** Nothing, where another has done it. */
async function freezeHolder(tx: Tx, tenant: string, credential: CredentialId): Promise<Done> {
  await tx.begun
  const eventId = newId('evt', tx.now)
  const found = await use(tx, tenant, { credential, eventId })
  if (found === undefined) return { tripped: null, entries: [] }
  const { kind, holder, label, owner } = found

  const scope = { kind, id: holder }
  const held = await hold(tx, tenant, { scope, cause: 'compromised' }, owner)
  const { freeze, isNew } = held
  const act = bySystem('canary')
  const tripped: LedgerEntry = { type: 'canary_tripped', act, eventId, credential, freeze }
  const frozen: LedgerEntry = { type: 'freeze', act, eventId: held.eventId, freeze }
  return {
    tripped: { kind: 'credential', credential, holder, label },
    entries: isNew ? [tripped, frozen] : [tripped],
  }
}

interface Found extends Record<string, unknown> {
  readonly kind: Extract<FreezeScope['kind'], 'agent' | 'sponsor'>
  readonly holder: AgentId | PersonId
  readonly label: string
  /** Whose it is: of a sponsor, their own. */
  readonly owner: PersonId
}

/** Once: whoever comes second finds nothing. */
async function use(
  tx: Tx,
  tenant: string,
  { credential, eventId }: { readonly credential: CredentialId; readonly eventId: EventId },
): Promise<Found | undefined> {
  const [found] = await rowsIn(tx)<Found>({
    name: 'decoy_trip',
    text: `update procura.canary c set tripped_event = $3
           where c.tenant = $1 and c.id = $2 and c.seen_at is not null and c.tripped_event is null
           returning c.holder_kind as kind, c.holder, c.label, coalesce(
             (select a.sponsor from procura.agent a where a.tenant = $1 and a.id = c.holder),
             c.holder) as owner`,
    values: [tenant, credential, eventId],
  })
  return found
}
