/** The shipped policies, asked for the sponsor and for the agent: two Cedar calls, as the broker makes them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs'

const FOLDER = join(import.meta.dirname, '..', 'policies')
const SET = 'ideal'
const SPONSOR = { type: 'Sponsor', id: 'kim' }
const AGENT = { type: 'Agent', id: 'refund-bot' }
const TOOL = { type: 'Tool', id: 'payments.refund' }
const ACTION = { type: 'Action', id: 'payments.refund' }

interface Refund {
  readonly order_id: string
  readonly amount: number
  readonly currency: string
}

export function createPolicies(): { authorize(refund: Refund): void } {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.cedar'))
  const text = files.map((name) => readFileSync(join(FOLDER, name), 'utf8')).join('\n')
  const schema = readFileSync(join(FOLDER, 'schema.cedarschema'), 'utf8')
  const parsed = cedar.preparsePolicySet(SET, { staticPolicies: text })
  const named = cedar.preparseSchema(SET, schema)
  if (parsed.type === 'failure' || named.type === 'failure') throw new Error('the set is refused')

  return {
    /** @throws Error unless both are allowed */
    authorize(refund) {
      for (const principal of PRINCIPALS) {
        const answer = ask(principal, refund)
        if (answer.type === 'failure' || answer.response.decision !== 'allow') {
          throw new Error('the policies refuse it')
        }
      }
    },
  }
}

function ask(principal: EntityJson, { order_id, amount, currency }: Refund) {
  return cedar.statefulIsAuthorized({
    principal: principal.uid === SPONSOR ? SPONSOR : AGENT,
    ...{ action: ACTION, resource: TOOL, entities: [principal, TOOL_ENTITY] },
    context: {
      ...{ purpose: 'support.refunds', depth: 0, approved: false, ttl_seconds: 60 },
      ...{ uses_left: 100, now: new Date().toISOString(), sender_constraint: 'dpop' },
      facts: { amount_minor: amount, currency, order_id },
    },
    ...{ preparsedPolicySetId: SET, preparsedSchemaName: SET, validateRequest: true },
  })
}

const PRINCIPALS: readonly EntityJson[] = [
  { uid: SPONSOR, attrs: { groups: ['support', 'dba'] }, parents: [] },
  {
    uid: AGENT,
    attrs: { sponsor: SPONSOR, tier: 'unknown', tier_attested: false },
    parents: [],
  },
]
const TOOL_ENTITY: EntityJson = {
  uid: TOOL,
  attrs: { risk: 3, target: 'payments' },
  parents: [{ type: 'ToolGroup', id: 'payments' }],
}
