/** One stop, from what is under it to what it counts: everything in the transaction that records it. */
import type { Agent } from '../domain/agent.ts'
import type { LedgerEntry, Revocation, StopKind } from '../domain/entry.ts'
import { type ApprovalId, newId, type PersonId, type RevocationId } from '../domain/ids.ts'
import { identityOf, type ProvenPerson } from '../domain/person.ts'
import type { Act } from '../domain/request.ts'
import type { Tx } from '../domain/tx.ts'
import { type Reached, reachedOf, reachOf, type ReachedRow } from './reach.ts'
import { rowsIn } from './rows.ts'
import { insertStop, stoppedBefore } from './store.ts'

export interface StoppingOptions {
  readonly tenant: string
  /** Cancels those of these approvals that are open; their entries. */
  readonly cancel: (tx: Tx, ids: readonly ApprovalId[], act: Act) => Promise<LedgerEntry[]>
}

export interface Stopping {
  readonly target: Revocation['target']
  /** By what a session is held against stops: its `jti`. The target's own id for everything else. */
  readonly stopId: string
  readonly owner: PersonId
  readonly cause: string
  readonly reason: string | null
  readonly act: Act
  /** `null` where no person did it. */
  readonly person: ProvenPerson | null
}

/** `revocation` is `null` where it had been stopped before. */
export interface Stopped {
  readonly id: RevocationId
  readonly revocation: Revocation | null
  readonly entries: LedgerEntry[]
}

/** For good, and once: what was stopped before is told as it was. */
export async function stop(options: StoppingOptions, tx: Tx, stopping: Stopping): Promise<Stopped> {
  const { tenant } = options
  const { target, stopId, owner, cause, act } = stopping
  const before = await stoppedBefore(tx, tenant, target)
  if (before !== null) return { id: before, revocation: null, entries: [] }

  const rows = await rowsIn(tx)<ReachedRow>(reachOf(tenant, target.kind, stopId, tx.now))
  const reached = rows.map(reachedOf)
  const idsOf = (kind: Reached['kind']) => reached.filter((it) => it.kind === kind).map(idIn)
  await withdraw(tx, tenant, idsOf('consent'))
  const retired = await retire(tx, tenant, target)
  const cancelled = await options.cancel(tx, idsOf('approval') as ApprovalId[], act)

  const [eventId, id] = [newId('evt', tx.now), newId('rev', tx.now)]
  const counts = countsOf(reached)
  const revocation = { id, target, cause, at: tx.now, counts }
  const itself = { kind: target.kind, id: stopId }
  const agents = retired.map((agent) => ({ kind: 'agent', id: agent.id }))
  const stops = [itself, ...agents, ...(await keysOf(tx, tenant, target))]
  const leases = idsOf('credential')
  await insertStop(tx, tenant, { revocation, sponsor: owner, eventId, stops, leases })

  const sealed = sealedOf(stopping)
  const entry: LedgerEntry = { type: 'revocation', act, revocation, eventId, ...sealed }
  const ended = retired.map((agent) => ({ type: 'agent_retired', act, agent }) as const)
  return { id, revocation, entries: [entry, ...ended, ...cancelled] }
}

const idIn = ({ id }: Reached) => id

const COUNTED = {
  ...{ consent: 'consents', session: 'sessions', root: 'roots', delegation: 'delegations' },
  ...{ credential: 'credentials', approval: 'approvals' },
} as const

/** As the wire names them. */
export function countsOf(reached: readonly Reached[]): Record<string, number> {
  const counts = Object.fromEntries(Object.values(COUNTED).map((name) => [name, 0]))
  for (const { kind } of reached) counts[COUNTED[kind]] = (counts[COUNTED[kind]] ?? 0) + 1
  return counts
}

async function withdraw(tx: Tx, tenant: string, consents: readonly string[]): Promise<void> {
  if (consents.length === 0) return
  const { rowCount } = await tx.query({
    name: 'stop_consents',
    text: `update procura.consent set withdrawn_at = $3
           where tenant = $1 and id = any ($2::text[]) and withdrawn_at is null`,
    values: [tenant, consents, tx.now],
  })
  if (rowCount !== consents.length) throw new Error('a consent was withdrawn meanwhile')
}

/** The agent, or every agent of the sponsor; a stop of each is written by its own name. */
async function retire(
  tx: Tx,
  tenant: string,
  { kind, id }: { kind: StopKind; id: string },
): Promise<Agent[]> {
  if (kind !== 'agent' && kind !== 'sponsor') return []
  const { rows } = await tx.query<Omit<Agent, 'createdAt'> & { created_at: Date }>({
    name: `stop_agents_by_${kind}`,
    text: `update procura.agent set status = 'retired'
           where tenant = $1 and ${kind === 'agent' ? 'id' : 'sponsor'} = $2 and status = 'active'
           returning id, sponsor, name, description, workload, status, created_at`,
    values: [tenant, id],
  })
  return rows.map(({ created_at: createdAt, ...agent }) => ({ ...agent, createdAt }))
}

/** A run goes with its key: chains name the key where it never showed itself. */
async function keysOf(tx: Tx, tenant: string, { kind, id }: { kind: StopKind; id: string }) {
  if (kind !== 'instance') return []
  return await rowsIn(tx)<{ kind: string; id: string }>({
    name: 'stop_key_of',
    text: `select 'key' as kind, jkt as id from procura.instance where tenant = $1 and id = $2`,
    values: [tenant, id],
  })
}

/** Who, and why in their own words: beside the log, not in it. */
export function sealedOf({ person, reason }: Pick<Stopping, 'person' | 'reason'>) {
  if (person === null) return {}
  const fields = reason === null ? ['person'] : ['person', 'reason']
  const payload = { person: identityOf(person.person), ...(reason !== null && { reason }) }
  return { sealed: { fields, payload } }
}
