/**
 * Pure: a policy set compiled to functions, for what Cedar would answer, sooner. Cedar is the authority:
 * a set that is not wholly understood is not compiled, and a request that is not wholly understood is
 * left to it.
 */
import type { AuthorizationAnswer, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { Asking } from './asking.ts'
import { truthOf, Unsupported } from './compile-expression.ts'
import { type Place, placesOf, type Schema } from './compile-schema.ts'
import { type Scope, scopeOf } from './compile-scope.ts'
import { BeyondUs, RuleFailure, type Seen } from './compile-values.ts'

/** What rules are compiled from: Cedar's own JSON of policies and schema, made where text is parsed. */
export interface Sources {
  /** By id, in the order of the set. */
  readonly policies: Readonly<Record<string, PolicyJson>>
  readonly schema: Schema
}

/** As Cedar would answer; `null` where only Cedar can tell. */
export type Quick = (asking: Asking, by: 'all' | 'permits') => AuthorizationAnswer | null

/** @throws Unsupported, with the rule that is the cause */
export function compile({ policies, schema }: Sources): Quick {
  const { places, unread } = placesOf(schema)
  const rules = Object.entries(policies).map(([id, policy]) => compileRule(id, policy, unread))
  const slices = new Map<string, Map<string, Slice>>()
  for (const place of places) {
    const slice = { read: place.read, rules: rules.filter(({ scope }) => scope.canMatterIn(place)) }
    const key = keyOf(place.principalType, place.resourceType)
    slices.set(place.action, (slices.get(place.action) ?? new Map<string, Slice>()).set(key, slice))
  }
  return (asking, by) => {
    const { principal, action, resource } = asking
    if (action.type !== 'Action') return null
    const slice = slices.get(action.id)?.get(keyOf(principal.type, resource.type))
    const seen = slice?.read(asking)
    return slice && seen ? answerOf(slice.rules, seen, by) : null
  }
}

interface Slice {
  readonly read: Place['read']
  readonly rules: readonly CompiledRule[]
}
interface CompiledRule {
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly scope: Scope
  /** Throws `RuleFailure`, `BeyondUs`. */
  readonly applies: (seen: Seen) => boolean
}

const keyOf = (principalType: string, resourceType: string) => `${principalType} ${resourceType}`

function compileRule(id: string, policy: PolicyJson, unread: ReadonlySet<string>): CompiledRule {
  try {
    refuseUnread(policy.conditions, unread)
    const scope = scopeOf(policy)
    const conditions = policy.conditions.map(({ kind, body }) => {
      const truth = truthOf(body)
      return kind === 'when' ? truth : (seen: Seen) => !truth(seen)
    })
    const applies = (seen: Seen) =>
      scope.admits(seen) && conditions.every((condition) => condition(seen))
    return { id, effect: policy.effect, scope, applies }
  } catch (error) {
    if (error instanceof Unsupported) throw new Unsupported(`${id}: ${error.message}`)
    throw error
  }
}

function answerOf(
  rules: readonly CompiledRule[],
  seen: Seen,
  by: 'all' | 'permits',
): AuthorizationAnswer | null {
  const met = { permit: [] as string[], forbid: [] as string[] }
  const errors: { policyId: string; error: ReturnType<typeof detailed> }[] = []
  for (const { id, effect, applies } of rules) {
    if (by === 'permits' && effect === 'forbid') continue
    try {
      if (applies(seen)) met[effect].push(id)
    } catch (error) {
      if (error instanceof BeyondUs) return null
      if (!(error instanceof RuleFailure)) throw error
      errors.push({ policyId: id, error: detailed(error.message) })
    }
  }
  const isDenied = met.forbid.length > 0
  const decision = !isDenied && met.permit.length > 0 ? 'allow' : 'deny'
  const reason = isDenied ? met.forbid : met.permit
  return { type: 'success', response: { decision, diagnostics: { reason, errors } }, warnings: [] }
}

function detailed(message: string) {
  return { message, help: null, code: null, url: null, severity: null }
}

/** The context is looked at by its members only, and by none of those that are not read. */
function refuseUnread(root: unknown, unread: ReadonlySet<string>): void {
  if (typeof root !== 'object' || root === null) return
  for (const [name, operand] of Object.entries(root) as [string, unknown][]) {
    if (name === 'Var' && operand === 'context') throw new Unsupported('it uses the whole context')
    const isMember = name === '.' || name === 'has'
    const left = isMember ? contextMember(operand) : null
    if (left === null) refuseUnread(operand, unread)
    else if (left.some((attr) => unread.has(String(attr))))
      throw new Unsupported('it looks at a time')
  }
}

/** The names behind `context.`; `null` when something else stands before the dot. */
function contextMember(operand: unknown): readonly unknown[] | null {
  if (typeof operand !== 'object' || operand === null) return null
  if (!('left' in operand && 'attr' in operand)) return null
  const { left, attr } = operand
  const isContext =
    typeof left === 'object' && left !== null && 'Var' in left && left.Var === 'context'
  return isContext ? [attr].flat() : null
}
