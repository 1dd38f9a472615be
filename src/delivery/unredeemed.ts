/** Decisions that nobody redeemed: a process died, or was cut off, between deciding and delivering. */
import type { Pool } from 'pg'
import { ask } from '../db/ask.ts'
import { digestOf } from '../domain/digest.ts'
import { newId } from '../domain/ids.ts'
import type { CredentialId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Ledger } from '../domain/ports.ts'
import { bySystem } from '../domain/request.ts'
import { type Draft, downstreamName } from './claims.ts'
import { refundUnused } from './endings.ts'
import { openFailed } from './leases.ts'
import type { Targets } from './targets.ts'

const MOST = 1000

export interface GivingUp {
  readonly tenant: string
  /** Of the reaper, as the ledger is. */
  readonly pool: Pool
  readonly ledger: Ledger
  readonly targets: Targets
}

/**
 * Gives up those that are too old to be redeemed: each gets a lease that has failed before it began,
 * so that it never will be, and what it spent is given back, on record.
 *
 * @returns how many
 */
export async function giveUpUnredeemed(options: GivingUp): Promise<number> {
  const { tenant, pool } = options
  let given = 0
  for (;;) {
    const { after, looked, found } = await lookOn(pool, tenant)
    for (const one of found) if (await giveUp(options, one)) given += 1
    if (looked === after) return given
    await ask(pool, {
      name: 'unredeemed_looked',
      text: `insert into procura.looked_at as l (tenant, index) values ($1, $2)
             on conflict (tenant) do update set index = greatest(l.index, excluded.index)`,
      values: [tenant, looked],
    })
  }
}

interface Unredeemed {
  readonly credential: CredentialId
  /** The entry of the decision. */
  readonly entry: DecisionEntry
}

/** The members that are read here, as ledger/records.ts writes them. */
interface DecisionEntry extends JsonObject {
  readonly recorded_at: string
  readonly request_id: string
  readonly sponsor_id: Draft['sponsor']
  readonly consent_id: Draft['consent']
  readonly purpose: string
  readonly decision: JsonObject & {
    readonly id: Draft['decision']
    readonly level: Draft['level']
    readonly revocation_epoch: number
  }
  readonly call: JsonObject &
    Record<'tool' | 'tool_hash' | 'target' | 'args_hash' | 'request_hash', string> & {
      readonly ttl_seconds: number
    }
  readonly chain: JsonObject & {
    readonly hops: (JsonObject & {
      readonly client_id: Draft['agent']
      readonly instance_id: Draft['instance']
      readonly jkt: string
      readonly delegation_id: Draft['delegation']
    })[]
  }
}

async function lookOn(pool: Pool, tenant: string) {
  const [row] = await ask<{ after: number; looked: number; found: Unredeemed[] }>(pool, {
    name: 'unredeemed_look',
    text: `select after, u.looked, u.found
      from (select coalesce((select index from procura.looked_at where tenant = $1), -1) as after) s,
        procura.unredeemed($1, after, $2) u`,
    values: [tenant, MOST],
  })
  if (row === undefined) throw new Error('the database did not say what was not redeemed')
  return row
}

/** False where somebody else has: the lease of a decision is one. */
async function giveUp(
  { tenant, ledger, targets }: GivingUp,
  { credential, entry }: Unredeemed,
): Promise<boolean> {
  const draft = draftOf(credential, entry, targets)
  const { value } = await ledger.record(null, async (tx) => {
    if (!(await openFailed(tx, tenant, draft, null)))
      return { entries: [], value: false, answer: null }
    const refunded = await refundUnused(tx, tenant, draft.decision)
    const unredeemed = { decision: draft.decision, credential, decided: entry }
    const act = bySystem(draft.requestId)
    const failed = { type: 'issuance_failed', act, unredeemed, refunded } as const
    return { entries: [failed], value: true, answer: null }
  })
  return value
}

/** What would have been made, as far as the decision's entry tells. Nothing ever will be. */
function draftOf(credential: CredentialId, entry: DecisionEntry, targets: Targets): Draft {
  const { call, decision, chain, recorded_at, request_id: requestId } = entry
  const hop = chain.hops.at(-1)
  if (hop === undefined) throw new Error('a decision about nobody')
  const connector = targets.get(call.target)?.connector
  const decidedAt = new Date(recorded_at)
  return {
    ...{ lease: credential, decision: decision.id, downstreamName: downstreamName(credential) },
    ...{ connector: connector?.name ?? 'none', target: call.target, permissions: {} },
    ...{ grantHash: digestOf({}), ttlSeconds: call.ttl_seconds },
    expiresAt: new Date(decidedAt.getTime() + call.ttl_seconds * 1000),
    ...{ senderConstraint: connector?.senderConstraint ?? 'none', level: decision.level },
    ...{ tool: call.tool, toolHash: call.tool_hash, argsHash: call.args_hash },
    ...{ requestHash: call.request_hash, purpose: entry.purpose },
    ...{ sponsor: entry.sponsor_id, agent: hop.client_id, instance: hop.instance_id },
    ...{ consent: entry.consent_id, delegation: hop.delegation_id, jkt: hop.jkt },
    ...{ act: {}, chain: null },
    ...{ revocationEpoch: decision.revocation_epoch, requestId },
    eventId: newId('evt', decidedAt),
  }
}
