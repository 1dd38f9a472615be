/**
 * The shipped policies, asked for the sponsor and for the agent, as the broker asks: of Cedar itself, or
 * of the same rules written down as closures, which is what a compiler of them could at best come to.
 */
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

export interface RefundPolicies {
  /** @throws Error unless both are allowed */
  authorize(refund: Refund): void
}
export type CedarForm = 'wasm' | 'compiled'

export const createPolicies = (form: CedarForm): RefundPolicies =>
  form === 'wasm' ? inWasm() : compiled()

function inWasm(): RefundPolicies {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.cedar'))
  const text = files.map((name) => readFileSync(join(FOLDER, name), 'utf8')).join('\n')
  const schema = readFileSync(join(FOLDER, 'schema.cedarschema'), 'utf8')
  const parsed = cedar.preparsePolicySet(SET, { staticPolicies: text })
  const named = cedar.preparseSchema(SET, schema)
  if (parsed.type === 'failure' || named.type === 'failure') throw new Error('the set is refused')

  return {
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

const contextOf = ({ order_id, amount, currency }: Refund) => ({
  ...{
    purpose: 'support.refunds',
    external_trigger: false,
    depth: 0,
    approved: false,
    ttl_seconds: 60,
  },
  ...{ uses_left: 100, now: new Date().toISOString(), sender_constraint: 'dpop' },
  facts: { amount_minor: amount, currency, order_id },
})

function ask(principal: EntityJson, refund: Refund) {
  return cedar.statefulIsAuthorized({
    principal: principal.uid === SPONSOR ? SPONSOR : AGENT,
    ...{ action: ACTION, resource: TOOL, entities: [principal, TOOL_ENTITY] },
    context: contextOf(refund),
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

interface Asked {
  readonly action: typeof ACTION
  readonly groups: readonly string[]
  readonly context: ReturnType<typeof contextOf>
}
type Rule = (asked: Asked) => boolean

/** policies/refunds.cedar, rule by rule; the rules of other actions do not fit this one. */
const isRefund: Rule = ({ action, groups }) =>
  action.id === 'payments.refund' && groups.includes('payments')
const PERMITS: readonly Rule[] = [
  (asked) =>
    isRefund(asked) &&
    /^support\.refunds(\.|$)/.test(asked.context.purpose) &&
    asked.context.sender_constraint === 'dpop',
]
const FORBIDS: readonly Rule[] = [
  (asked) =>
    isRefund(asked) && asked.context.facts.amount_minor > 10_000 && !asked.context.approved,
  (asked) =>
    isRefund(asked) &&
    asked.context.purpose === 'support.refunds.goodwill' &&
    asked.context.facts.amount_minor > 5000,
  (asked) => isRefund(asked) && asked.context.facts.amount_minor > 100_000,
]

function compiled(): RefundPolicies {
  const groups = (TOOL_ENTITY.parents as readonly { readonly id: string }[]).map(({ id }) => id)
  return {
    authorize(refund) {
      for (const principal of PRINCIPALS) {
        const asked = { principal, action: ACTION, groups, context: contextOf(refund) }
        const isAllowed = PERMITS.some((it) => it(asked)) && !FORBIDS.some((it) => it(asked))
        if (!isAllowed) throw new Error('the policies refuse it')
      }
    },
  }
}
