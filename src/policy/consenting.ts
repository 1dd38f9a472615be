/** Pure: nobody can hand on what they may not do. A consent is put to the rules, tool by tool. */
import type { Terms } from '../domain/consent.ts'
import type { Answer, Deny } from '../domain/decision.ts'
import { BrokerError } from '../domain/problems.ts'
import { covers } from '../domain/scope.ts'
import type { Tool } from '../domain/tool.ts'
import { consentAsked, type Sponsor } from './asking.ts'
import type { Catalogue } from './catalogue.ts'
import { forbidden, stoppedBy } from './evaluate.ts'
import { opinionOn, type Policies } from './opinion.ts'
import { isExternal, type Purposes } from './purposes.ts'

/** There is nobody to ask: whoever consents is the one whose yes it takes. */
export type ConsentAnswer = Exclude<Answer, { kind: 'ask' }>

interface Given {
  readonly policies: Policies
  readonly catalogue: Catalogue
  readonly purposes: Purposes
}

/**
 * Whether a sponsor may consent to these terms: to each declared tool that they cover.
 *
 * @throws BrokerError `unknown_tool` when a pattern covers no declared tool, `unknown_purpose`
 */
export function consentAnswer(
  { policies, catalogue, purposes }: Given,
  sponsor: Sponsor,
  terms: Terms,
  now: Date,
): ConsentAnswer {
  if (!purposes.has(terms.purpose)) throw new BrokerError('unknown_purpose')
  const on = { terms, isExternal: isExternal(purposes, terms.purpose) }
  const tools = terms.tools.flatMap((pattern) => covered(catalogue, pattern))
  const answers = [...new Set(tools)].map((tool) => answerFor(policies, sponsor, { tool, on, now }))
  const refused = answers.find(({ kind }) => kind !== 'allow')
  return refused ?? { kind: 'allow', rules: answers.flatMap(({ rules }) => rules) }
}

/** @throws BrokerError as `consentAnswer`, and `policy_error` when it could not be evaluated */
export function consentRefused(
  given: Given,
  sponsor: Sponsor,
  terms: Terms,
  now: Date,
): Deny | null {
  const answer = consentAnswer(given, sponsor, terms, now)
  if (answer.kind === 'allow') return null
  if (answer.kind === 'deny') return answer
  const evaluation = { status: 'not_evaluated', unavailableInput: answer.input } as const
  throw new BrokerError('policy_error', { shown: { evaluation } })
}

function covered(catalogue: Catalogue, pattern: string): Tool[] {
  const tools = [...catalogue.values()].flatMap(({ tool }) =>
    covers(pattern, tool.name) ? [tool] : [],
  )
  if (tools.length === 0) {
    throw new BrokerError('unknown_tool', {
      shown: { detail: 'A pattern covers no declared tool' },
    })
  }
  return tools
}

function answerFor(
  policies: Policies,
  sponsor: Sponsor,
  { tool, on, now }: { tool: Tool; on: Parameters<typeof consentAsked>[2]; now: Date },
): ConsentAnswer {
  const { kind, rules } = opinionOn(policies, () => consentAsked(sponsor, tool, on, now), null)
  if (kind === 'allow') return { kind, rules }
  const stopped = { rules, stoppedBy: stoppedBy(sponsor) }
  if (kind === 'error') return { kind: 'none', code: 'policy_error', ...stopped, input: 'policy' }
  const detail =
    kind === 'no_permit'
      ? `no rule permits this sponsor to consent to ${tool.name}`
      : forbidden(rules, sponsor)
  const deny: Deny = { kind: 'deny', code: 'access_denied', reason: kind, ...stopped, detail }
  return deny
}
