/** A rule asks for a person: one open approval for the same call, and what its reader is shown. */
import type { Approval, Asked } from '../domain/approval.ts'
import { leafOf } from '../domain/chain.ts'
import type { Decision } from '../domain/decision.ts'
import { type ApprovalId, newId } from '../domain/ids.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Opened } from '../domain/ports.ts'
import { BrokerError, unavailable } from '../domain/problems.ts'
import type { Tx } from '../domain/tx.ts'
import { insertApproval } from './store.ts'

export interface AskingOptions {
  readonly tenant: string
  readonly openMax: number
}

export function createAsking({ tenant, openMax }: AskingOptions) {
  return {
    /**
     * Opens the approval that an ask needs, or joins the one that is open for the same call.
     *
     * @throws BrokerError `rate_limited` when the agent has too many open already
     */
    async openIfAsked(tx: Tx, decision: Decision, why: string | undefined): Promise<Opened | null> {
      const { answer } = decision
      if (answer.kind !== 'ask') return null
      const open = await pendingOf(tx, tenant, leafOf(decision.chain).agent)
      const same = open.find((one) => one.binding_hash === decision.bindingHash)
      if (same !== undefined) {
        // Its time is up, and its end is not on record yet: a moment later it can be asked anew.
        if (same.expires_at <= tx.now) throw unavailable('approval_service')
        return { id: same.id, expiresAt: same.expires_at, opened: null }
      }
      const alive = open.filter(({ expires_at: end }) => end > tx.now)
      if (alive.length >= openMax) {
        throw new BrokerError('rate_limited', {
          shown: { detail: 'Too many approvals of this agent are open', retryAfterSeconds: 10 },
        })
      }
      const opened = await made(tx, tenant, { decision, asked: answer.asked, why })
      // Somebody beside it was first. It has another try alone, and finds what they have opened.
      if (!(await insertApproval(tx, tenant, opened, openMax)))
        throw unavailable('approval_service')
      return { id: opened.id, expiresAt: opened.expiresAt, opened }
    },
  }
}

interface PendingRow {
  readonly id: ApprovalId
  readonly binding_hash: string
  readonly expires_at: Date
}

async function pendingOf(tx: Tx, tenant: string, agent: string): Promise<PendingRow[]> {
  const { rows } = await tx.query<PendingRow>({
    name: 'approvals_pending',
    text: `select id, binding_hash, expires_at from procura.approval
           where tenant = $1 and agent = $2 and status = 'pending'`,
    values: [tenant, agent],
  })
  return rows
}

interface Wanted {
  readonly decision: Decision
  readonly asked: Asked
  readonly why: string | undefined
}

async function made(tx: Tx, tenant: string, { decision, asked, why }: Wanted): Promise<Approval> {
  const { chain } = decision
  return {
    id: newId('apr', tx.now),
    status: 'pending',
    bindingHash: decision.bindingHash,
    asked,
    agent: leafOf(chain).agent,
    sponsor: chain.consent.sponsor,
    consent: chain.consent.id,
    decision: decision.id,
    shown: await shownOf(tx, tenant, decision),
    justification: why ?? null,
    createdAt: tx.now,
    expiresAt: new Date(tx.now.getTime() + asked.withinSeconds * 1000),
    approvedUntil: null,
    approver: null,
    consumedBy: null,
  }
}

/** The call as it will run. Fixed here: whoever answers sees what was asked, not what became of it. */
async function shownOf(tx: Tx, tenant: string, decision: Decision): Promise<JsonObject> {
  const { chain, call, purpose, ttlSeconds } = decision
  const { tool } = call
  return {
    path: await pathOf(tx, tenant, decision),
    consent_id: chain.consent.id,
    tool: tool.name,
    tool_title: tool.title,
    tool_hash: tool.hash,
    target: tool.target,
    arguments: call.arguments,
    args_hash: call.argsHash,
    facts: call.facts,
    purpose,
    lease: {
      ttl_seconds: ttlSeconds,
      grant: [`${tool.title}, on ${tool.target}`],
      sender_constraint: tool.senderConstraint,
    },
  }
}

async function pathOf(tx: Tx, tenant: string, { chain }: Decision): Promise<JsonObject[]> {
  const { rows } = await tx.query<{ id: string; name: string }>({
    name: 'approval_agents',
    text: 'select id, name from procura.agent where tenant = $1 and id = any($2::text[])',
    values: [tenant, chain.hops.map(({ agent }) => agent)],
  })
  const names = new Map(rows.map(({ id, name }) => [id, name]))
  return chain.hops.map(({ agent, purpose, model }) => ({
    ...{ agent_id: agent, name: names.get(agent) ?? null, purpose },
    ...(model && { model: { ...model } }),
  }))
}
