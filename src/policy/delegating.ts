/** Pure: the consent says who may receive a hop; the rules may still forbid it, tool by tool. */
import type { Deny } from '../domain/decision.ts'
import { BrokerError } from '../domain/problems.ts'
import { covers } from '../domain/scope.ts'
import type { Tool } from '../domain/tool.ts'
import { delegateAsked, type Handing, likenessesOf } from './asking.ts'
import type { Catalogue } from './catalogue.ts'
import { forbidden, stoppedBy } from './evaluate.ts'
import { type Opinion, opinionOn, type Policies } from './opinion.ts'
import { isExternal, type Purposes } from './purposes.ts'

interface Given {
  readonly policies: Policies
  readonly catalogue: Catalogue
  readonly purposes: Purposes
}

/**
 * Why the rules forbid this hop, or `null`. A rule that asks a person forbids it as well: a hop is signed
 * before anybody could be asked.
 *
 * @throws BrokerError `policy_error` when it could not be evaluated
 */
export function delegationRefused(given: Given, handing: Handing, now: Date): Deny | null {
  const delegators = likenessesOf(handing.delegator)
  const external = isExternal(given.purposes, handing.purpose)
  for (const tool of toolsOf(given.catalogue, handing.scopes)) {
    for (const delegator of delegators) {
      const one = { ...handing, delegator, isExternal: external }
      const asked = () => delegateAsked(one, tool, now)
      const refused = refusedBy(opinionOn(given.policies, asked, handing.depth), delegator)
      if (refused !== null) return refused
    }
  }
  return null
}

function refusedBy({ kind, rules }: Opinion, delegator: Handing['delegator']): Deny | null {
  if (kind === 'error') {
    const evaluation = { status: 'not_evaluated', unavailableInput: 'policy' } as const
    throw new BrokerError('policy_error', { shown: { evaluation } })
  }
  if (kind !== 'forbid' && kind !== 'ask') return null
  return {
    ...{ kind: 'deny', code: 'access_denied', reason: 'forbid', rules },
    ...{ stoppedBy: stoppedBy(delegator), detail: forbidden(rules, delegator) },
  }
}

const toolsOf = (catalogue: Catalogue, scopes: readonly string[]): Tool[] =>
  [...catalogue.values()].flatMap(({ tool }) =>
    scopes.some((scope) => covers(scope, tool.name)) ? [tool] : [],
  )
