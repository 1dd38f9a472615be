/** A decision as an auditor reads it: from its leaf, with what was sealed beside it. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import type { DecisionId } from '../domain/ids.ts'
import { ProvenInstance } from '../domain/instance.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import type { ProvenPerson } from '../domain/person.ts'
import { BrokerError } from '../domain/problems.ts'
import type { LedgerReader } from './reader.ts'

interface Options {
  readonly tenant: string
  /** Of the front: it may read decisions, leases and what is sealed. */
  readonly pool: Pool
  readonly reader: LedgerReader
}

interface Row {
  readonly sponsor: string
  readonly agent: string
  readonly face: string
  readonly snapshot: string | null
  readonly credential: string | null
  readonly issuance: string | null
  readonly event_id: string
}

/**
 * Finds a decision for whoever may see it: the agent that asked, its sponsor, an auditor. All others
 * are told what they would be told of one that never was.
 */
export function createDecisionReader({ tenant, pool, reader }: Options) {
  return {
    async find(id: DecisionId, by: ProvenPerson | ProvenInstance): Promise<JsonObject> {
      const [row] = await ask<Row>(pool, {
        name: 'decision_find',
        text: `select d.sponsor, d.agent, d.face, d.snapshot, d.credential, d.event_id,
                      l.event_id as issuance
               from procura.decision d
               left join procura.lease l on l.tenant = d.tenant and l.decision_id = d.id
               where d.tenant = $1 and d.id = $2`,
        values: [tenant, id],
      })
      if (row === undefined || !maySee(by, row)) throw new BrokerError('not_found')
      const entry = await reader.entryOf(row.event_id)
      if (entry === null) throw new Error('a decision without its leaf')
      const snapshot = row.snapshot === null ? null : await reader.opened(row.snapshot)
      return bodyOf(entry.record, row, snapshot)
    },
  }
}

function maySee(by: ProvenPerson | ProvenInstance, { sponsor, agent }: Row): boolean {
  if (by instanceof ProvenInstance) return by.session.agent === agent
  return by.person.roles.includes('auditor') || by.person.id === sponsor
}

function bodyOf(record: JsonObject, row: Row, snapshot: JsonObject | null): JsonObject {
  const decision = objectAt(record, 'decision')
  const { policy_set_hash, schema_hash, facts_hash, context_hash } = decision
  return {
    ...{ id: decision['id'] ?? null, at: record['recorded_at'] ?? null },
    ...{ answer: decision['answer'] ?? null, code: decision['code'] ?? null },
    ...{ level: decision['level'] ?? null, evaluation: record['evaluation'] ?? null },
    face: row.face,
    request: requestOf(record),
    chain: chainOf(record),
    principals: principalsOf(snapshot),
    policies: decision['policies'] ?? [],
    stopped_by: stoppedBy(decision['stopped_by']),
    budgets: record['budgets'] ?? [],
    approvals: isObject(record['approval']) ? [record['approval']['id'] ?? null] : [],
    ...({ policy_set_hash, schema_hash, facts_hash, context_hash } as JsonObject),
    snapshot,
    ...(row.credential === null ? {} : { credential_id: row.credential }),
    events: [row.event_id, ...(row.issuance === null ? [] : [row.issuance])],
  }
}

function requestOf(record: JsonObject): JsonObject {
  const { actor, purpose = null } = record
  const jkt = isObject(actor) ? (actor['jkt'] ?? null) : null
  return { ...objectAt(record, 'call'), purpose, jkt }
}

function chainOf(record: JsonObject): JsonObject {
  const { leaf = null, hops = [] } = objectAt(record, 'chain')
  return { consent_id: record['consent_id'] ?? null, leaf, hops }
}

function principalsOf(snapshot: JsonObject | null): Json[] {
  const principals = snapshot?.['principals']
  if (!Array.isArray(principals)) return []
  return principals
    .filter(isObject)
    .map(({ hop = null, kind = null, id = null }) => ({ hop, kind, id }))
}

const stoppedBy = (member: Json | undefined): Json => (isObject(member) ? member : null)

function objectAt(record: JsonObject, name: string): JsonObject {
  const member = record[name]
  return isObject(member) ? member : {}
}
