/** AuthZEN 1.0: what is asked in its words, put to the same evaluation as everything else. */
import type { Answer, Settled } from '../domain/decision.ts'
import { type AgentId, type ConsentId, type DelegationId, isId } from '../domain/ids.ts'
import { isObject, type Json, type JsonObject } from '../domain/json.ts'
import { BrokerError, PROBLEMS, type ProblemCode } from '../domain/problems.ts'
import type { Act } from '../domain/request.ts'
import { malformed } from './check-request.ts'
import type { PdpFront } from './front.ts'
import { evaluationBody } from './problem.ts'
import { evaluationOf, stoppedByOf } from './settled-body.ts'

export interface Evaluated {
  readonly decision: boolean
  readonly context: object
}

/**
 * Answers one evaluation. Whatever is not a clear yes is `decision: false`, with the reason beside it.
 *
 * @throws BrokerError `malformed_request` for what is no evaluation, `unavailable`
 */
export async function evaluateOne(
  front: PdpFront,
  act: Act,
  asked: JsonObject,
): Promise<Evaluated> {
  const subject = member(asked, 'subject', ['type', 'id'])
  const action = member(asked, 'action', ['name'])
  const resource = member(asked, 'resource', ['type', 'id'])
  const context = asked['context'] ?? {}
  if (!isObject(context)) throw malformed('context is not an object')
  const isCall = subject.type === 'identity' && action.name === 'tools/call'
  if (!isCall || resource.type !== 'tool') return no('unknown_tuple')

  const { id: tool } = resource
  const { agent, arguments: given = {} } = context
  if (!['undefined', 'string'].includes(typeof context['purpose'])) {
    throw malformed('context.purpose is not a string')
  }
  const under = underIn(context)
  if (typeof agent !== 'string' || under === null) return no('missing_context')
  if (!isId('agt', agent) || under === 'unknown') return no('not_found')
  if (!isObject(given)) return no('arguments_invalid')
  const approval = approvalIn(context)
  if (approval === 'unverifiable') return unusable('approval_expired', 'approval_unverifiable')
  const request = {
    ...{ tool, arguments: given },
    ...(typeof context['purpose'] === 'string' && { purpose: context['purpose'] }),
    ...(approval && { approval }),
  }
  try {
    const place = await placeOf(front, agent, under)
    if (place?.sponsor !== subject.id) return no('not_found')
    const { consent, delegation } = place
    return contextOf(await front.decider.evaluate(act, { agent, consent, delegation, request }))
  } catch (error) {
    if (!(error instanceof BrokerError) || PROBLEMS[error.code][0] >= 500) throw error
    const reason = approval && UNUSABLE[error.code]
    return reason ? unusable(error.code, reason) : no(error.code)
  }
}

/** What it is asked about: a consent, a hop, or a hop under a consent. */
interface Under {
  readonly consent: ConsentId | null
  readonly delegation: DelegationId | null
}

function underIn({ consent_id: consent, delegation_id: delegation }: JsonObject) {
  const isConsent = typeof consent === 'string' && isId('con', consent)
  const isDelegation = typeof delegation === 'string' && isId('dlg', delegation)
  if (typeof consent !== 'string' && typeof delegation !== 'string') return null
  if (consent !== undefined && !isConsent) return 'unknown'
  if (delegation !== undefined && !isDelegation) return 'unknown'
  return { consent: isConsent ? consent : null, delegation: isDelegation ? delegation : null }
}

/** Whose it is; `null` where the hop does not rest on that consent. @throws BrokerError `not_found` */
async function placeOf(front: PdpFront, agent: AgentId, { consent, delegation }: Under) {
  if (delegation !== null) {
    const received = await front.delegations.received(delegation, agent)
    const isApart = consent !== null && consent !== received?.consent
    return received === null || isApart ? null : { ...received, delegation }
  }
  if (consent === null) return null
  const standing = await front.decider.standing(consent, agent)
  return { consent, sponsor: standing.consent.sponsor, delegation }
}

/** A member that must be there, with texts that must be there and not empty. */
function member<Text extends string>(
  asked: JsonObject,
  name: string,
  texts: readonly Text[],
): JsonObject & Record<Text, string> {
  const value = asked[name]
  if (!isObject(value)) throw malformed(`${name} is missing or not an object`)
  for (const text of texts) {
    const given = value[text]
    if (typeof given !== 'string' || given === '') {
      throw malformed(`${name}.${text} is missing, empty or not a string`)
    }
  }
  if (value['properties'] !== undefined && !isObject(value['properties'])) {
    throw malformed(`${name}.properties is not an object`)
  }
  return value as JsonObject & Record<Text, string>
}

/** It is looked up, never believed: all that counts of it is which one it is. */
function approvalIn({ approval }: JsonObject) {
  if (approval === undefined) return undefined
  const id: Json | undefined = isObject(approval) ? approval['id'] : undefined
  return typeof id === 'string' && isId('apr', id) ? id : 'unverifiable'
}

const UNUSABLE: Partial<Record<ProblemCode, string>> = {
  approval_expired: 'approval_expired',
  args_mismatch: 'out_of_scope',
  approval_consumed: 'out_of_scope',
  approval_cancelled: 'approval_unverifiable',
  approval_denied: 'approval_unverifiable',
  approver_not_allowed: 'approval_unverifiable',
  not_found: 'approval_unverifiable',
}

const EVALUATED = evaluationBody({ status: 'evaluated', unavailableInput: null })

const no = (code: string): Evaluated => ({
  decision: false,
  context: { code, evaluation: EVALUATED },
})

function unusable(code: string, reason: string): Evaluated {
  const context = { code, reason, next_action: 'resubmit', evaluation: EVALUATED }
  return { decision: false, context }
}

function contextOf({ decision }: Settled): Evaluated {
  const { answer, id, level } = decision
  const context = {
    ...{ evaluation_id: id, code: codeOf(answer) },
    ...{ reason: answer.kind === 'deny' ? answer.reason : undefined, level },
    ...{ evaluation: evaluationOf(answer), stopped_by: stoppedByOf(answer) },
  }
  return { decision: answer.kind === 'allow', context }
}

function codeOf(answer: Answer): string | undefined {
  if (answer.kind === 'allow') return undefined
  return answer.kind === 'ask' ? 'approval_required' : answer.code
}
