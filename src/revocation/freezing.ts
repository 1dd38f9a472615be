/** Holding back: reversible, and nothing of what is stopped comes back with it. */
import type { Pool } from 'pg'
import type { Freeze, FreezeScope, LedgerEntry } from '../domain/entry.ts'
import { type EventId, newId, type PersonId, type RevocationId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { ProvenPerson } from '../domain/person.ts'
import type { Ledger } from '../domain/ports.ts'
import { BrokerError } from '../domain/problems.ts'
import type { By } from '../domain/request.ts'
import { isToolName } from '../domain/scope.ts'
import type { Tx } from '../domain/tx.ts'
import { ownerOfScope } from './owning.ts'
import { rowsIn, rowsOf } from './rows.ts'
import { RAISE } from './store.ts'
import { sealedOf } from './stopping.ts'

export interface FreezingOptions {
  readonly tenant: string
  /** Of the front. */
  readonly pool: Pool
  readonly ledger: Ledger
}

export interface Freezing {
  /**
   * Frozen again: the first answer. A sponsor may freeze their own; the rest takes an operator.
   *
   * @throws BrokerError `role_required`, `not_found`, `unknown_tool`
   */
  freeze(person: ProvenPerson, wanted: FreezeWanted, by: By): Promise<Frozen>
  /** Takes an operator. @throws BrokerError `role_required`, `not_found`, `conflict`: it is not frozen */
  lift(person: ProvenPerson, wanted: FreezeWanted, by: By): Promise<Frozen>
  /** What is frozen now: what is theirs, and what is everybody's. */
  frozen(person: ProvenPerson): Promise<readonly Held[]>
}

export interface FreezeWanted {
  readonly scope: FreezeScope
  readonly cause: string
  readonly reason: string
}
export interface Held {
  readonly freeze: Freeze
  readonly eventId: EventId
}
export interface Frozen extends Held {
  /** False where it had been frozen before. */
  readonly isNew: boolean
  /** The key has done this before. */
  readonly isRepeat: boolean
}

export function createFreezing(options: FreezingOptions): Freezing {
  const { tenant, pool, ledger } = options
  async function record(by: By, work: (tx: Tx) => Promise<Done>): Promise<Frozen> {
    const earlier = (await ledger.find(by.key)) as Kept | null
    if (earlier !== null) return { ...(await keptBy(options, earlier)), isRepeat: true }
    const { value } = await ledger.record(by.key, async (tx) => {
      const { entries, ...value } = await work(tx)
      const { freeze, isNew } = value
      const answer: Kept = { id: freeze.id, is_new: isNew, is_lifted: freeze.liftedAt !== null }
      return { entries, value, answer }
    })
    return { ...value, isRepeat: false }
  }

  return {
    freeze: (person, wanted, by) =>
      record(by, async (tx) => {
        const owner = await ownerIn(options, tx, person, wanted.scope)
        const held = await hold(tx, tenant, wanted, owner)
        return { ...held, entries: held.isNew ? [entryOf(held, person, wanted, by)] : [] }
      }),

    lift: (person, wanted, by) =>
      record(by, async (tx) => {
        demandOperator(person)
        const lifted = await takeAway(tx, tenant, wanted.scope)
        if (lifted === null) {
          const detail = 'Nothing of this scope is frozen'
          throw new BrokerError('conflict', { shown: { detail } })
        }
        const { cause } = wanted
        const held = { ...lifted, freeze: { ...lifted.freeze, cause } }
        return { ...held, isNew: true, entries: [entryOf(held, person, wanted, by)] }
      }),

    async frozen({ person }) {
      const seesAll = person.roles.includes('operator') || person.roles.includes('auditor')
      const rows = await rowsOf(pool)<FreezeRow>({
        name: 'freeze_list',
        text: `select ${COLUMNS} from procura.freeze
               where tenant = $1 and lifted_at is null and ($2 or owner is null or owner = $3)
               order by since desc, id desc`,
        values: [tenant, seesAll, person.id],
      })
      return rows.map(heldOf)
    },
  }
}

interface Done extends Held {
  readonly isNew: boolean
  readonly entries: readonly LedgerEntry[]
}

/** What is kept under a key. */
interface Kept extends JsonObject {
  readonly id: RevocationId
  readonly is_new: boolean
  readonly is_lifted: boolean
}

/** As it was then: a freeze that was lifted since was frozen when this was answered. */
async function keptBy(
  { tenant, pool }: FreezingOptions,
  { id, is_new: isNew, is_lifted: isLifted }: Kept,
): Promise<Held & { isNew: boolean }> {
  const [row] = await rowsOf(pool)<FreezeRow>({
    name: 'freeze_by_id',
    text: `select ${COLUMNS} from procura.freeze where tenant = $1 and id = $2`,
    values: [tenant, id],
  })
  if (row === undefined) throw new BrokerError('not_found')
  return { ...heldOf(isLifted ? row : { ...row, lifted_at: null, lift_event_id: null }), isNew }
}

function demandOperator({ person }: ProvenPerson): void {
  if (person.roles.includes('operator')) return
  const detail = 'This needs the role operator'
  throw new BrokerError('role_required', { shown: { detail } })
}

async function ownerIn(
  { tenant }: FreezingOptions,
  tx: Tx,
  person: ProvenPerson,
  scope: FreezeScope,
): Promise<PersonId | null> {
  const isOwnable = scope.kind === 'agent' || scope.kind === 'sponsor'
  if (!isOwnable) demandOperator(person)
  if (scope.kind === 'tool' && !isToolName(scope.id ?? '')) throw new BrokerError('unknown_tool')
  return await ownerOfScope(rowsIn(tx), tenant, person, scope)
}

const COLUMNS = 'id, kind, scope, cause, since, event_id, lifted_at, lift_event_id'

interface FreezeRow extends Record<string, unknown> {
  readonly id: RevocationId
  readonly kind: FreezeScope['kind']
  readonly scope: string
  readonly cause: string
  readonly since: Date
  readonly event_id: EventId
  readonly lifted_at: Date | null
  readonly lift_event_id: EventId | null
}

function heldOf(row: FreezeRow): Held {
  const { id, kind, scope, cause, since, lifted_at: liftedAt } = row
  const where = { kind, id: scope === '' ? null : scope }
  return {
    freeze: { id, scope: where, cause, since, liftedAt },
    eventId: row.lift_event_id ?? row.event_id,
  }
}

/** What is frozen already stays as it was. */
export async function hold(
  tx: Tx,
  tenant: string,
  wanted: Pick<FreezeWanted, 'scope' | 'cause'>,
  owner: PersonId | null,
): Promise<Held & { readonly isNew: boolean }> {
  const before = await inForce(tx, tenant, wanted.scope)
  if (before) return { ...heldOf(before), isNew: false }
  return { ...(await insert(tx, tenant, wanted, owner)), isNew: true }
}

async function inForce(tx: Tx, tenant: string, { id }: FreezeScope) {
  const [row] = await rowsIn(tx)<FreezeRow>({
    name: 'freeze_in_force',
    text: `select ${COLUMNS} from procura.freeze
           where tenant = $1 and scope = $2 and lifted_at is null`,
    values: [tenant, id ?? ''],
  })
  return row
}

async function insert(
  tx: Tx,
  tenant: string,
  { scope, cause }: Pick<FreezeWanted, 'scope' | 'cause'>,
  owner: PersonId | null,
): Promise<Held> {
  const [id, eventId] = [newId('rev', tx.now), newId('evt', tx.now)]
  const { rowCount } = await tx.query({
    name: 'freeze_insert',
    text: `with raised as (${RAISE})
      insert into procura.freeze (tenant, id, kind, scope, owner, cause, since, event_id)
      select $1, $2, $3, $4, $5, $6, $7, $8 from raised`,
    values: [tenant, id, scope.kind, scope.id ?? '', owner, cause, tx.now, eventId],
  })
  if (rowCount !== 1) throw new Error('a freeze was not written')
  return { freeze: { id, scope, cause, since: tx.now, liftedAt: null }, eventId }
}

/** Null where nothing of that scope is frozen. */
async function takeAway(tx: Tx, tenant: string, { id }: FreezeScope): Promise<Held | null> {
  const [row] = await rowsIn(tx)<FreezeRow>({
    name: 'freeze_lift',
    text: `with lifted as (
        update procura.freeze set lifted_at = $3, lift_event_id = $4
        where tenant = $1 and scope = $2 and lifted_at is null returning ${COLUMNS}
      ), raised as (
        insert into procura.epoch (tenant, kind, value) select $1, 'revocation', 1 from lifted
        on conflict (tenant, kind) do update set value = epoch.value + 1
      )
      select * from lifted`,
    values: [tenant, id ?? '', tx.now, newId('evt', tx.now)],
  })
  return row === undefined ? null : heldOf(row)
}

function entryOf(
  { freeze, eventId }: Held,
  person: ProvenPerson,
  { reason }: FreezeWanted,
  { act }: By,
): LedgerEntry {
  return { type: 'freeze', act, freeze, eventId, ...sealedOf({ person, reason }) }
}
