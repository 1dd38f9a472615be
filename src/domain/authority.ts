/** What a consent, session or hop allows, and the one comparison that holds for all of them. */
import { type Constraint, constraintKey, isAsTight, meets, says } from './constraint.ts'
import type { Json } from './json.ts'
import { isWithin } from './purpose.ts'
import { covers } from './scope.ts'
import { type ToolCall, valueAt } from './tool.ts'

export interface Authority {
  /** Tool names, or `a.b.*`. */
  readonly scopes: readonly string[]
  readonly purpose: string
  readonly constraints: readonly Constraint[]
}

/** The authority of a token that may be handed on: one more thing that only gets less. */
export interface ChainAuthority extends Authority {
  /** How many tokens the chain may have, the root counted. */
  readonly delMaxDepth: number
}

/** What somebody further down states; what is absent is inherited. */
export interface Narrowing {
  readonly scopes?: readonly string[] | undefined
  readonly purpose?: string | undefined
  readonly constraints?: readonly Constraint[] | undefined
  readonly delMaxDepth?: number | undefined
}

export type Narrowed<Of extends Authority = Authority> =
  | { readonly ok: true; readonly authority: Of }
  | { readonly ok: false; readonly outcome: 'not_narrower'; readonly field: string }

/**
 * What is left of `parent` after what `child` states: never more. Nothing can be dropped or loosened;
 * a bound that the parent has and the child does not state stays in force. Who has no `delMaxDepth`
 * hands none on. With `repeat`, a child that leaves one of the parent's bounds out is refused.
 */
export function narrow<Of extends Authority & Partial<ChainAuthority>>(
  parent: Of,
  child: Narrowing,
  { repeat = false }: { readonly repeat?: boolean } = {},
): Narrowed<Of> {
  const { scopes = parent.scopes, purpose = parent.purpose, constraints = [], delMaxDepth } = child
  if ((delMaxDepth ?? 0) > (parent.delMaxDepth ?? 0)) return notNarrower('del_max_depth')
  const wider = scopes.findIndex((scope) => !parent.scopes.some((above) => covers(above, scope)))
  if (wider >= 0) return notNarrower(`scopes[${String(wider)}]`)
  if (!isWithin(purpose, parent.purpose)) return notNarrower('purpose')

  const effective = new Map(parent.constraints.map((bound) => [constraintKey(bound), bound]))
  const missing = new Set(repeat ? effective.keys() : [])
  for (const bound of constraints) {
    const key = constraintKey(bound)
    const above = effective.get(key)
    if (above && !isAsTight(bound, above)) return notNarrower(`constraints[${key}]`)
    effective.set(key, bound)
    missing.delete(key)
  }
  for (const key of missing) return notNarrower(`constraints[${key}]`)
  const depth = delMaxDepth === undefined ? {} : { delMaxDepth }
  const bounds = [...effective.values()]
  return { ok: true, authority: { ...parent, ...depth, scopes, purpose, constraints: bounds } }
}

const notNarrower = (field: string) => ({ ok: false, outcome: 'not_narrower', field }) as const

/** As much of a call as an authority looks at. */
export type Bounded = Pick<ToolCall, 'arguments' | 'facts'> & {
  readonly tool: Pick<ToolCall['tool'], 'name'>
}

export interface Outside {
  readonly outcome: 'scope_not_granted' | 'not_narrower' | 'ceiling_exceeded'
  readonly field: string
  /** Names the bound, never what the agent sent. */
  readonly detail: string
}

/** Why a call is outside, or `null`. Running totals are kept by the debit, not here. */
export function admits(authority: Authority, call: Bounded, purpose: string): Outside | null {
  const { scopes } = authority
  if (!scopes.some((scope) => covers(scope, call.tool.name))) {
    return {
      outcome: 'scope_not_granted',
      field: 'scopes',
      detail: `${call.tool.name} is not among the tools that were handed down`,
    }
  }
  if (!isWithin(purpose, authority.purpose)) {
    return {
      outcome: 'not_narrower',
      field: 'purpose',
      detail: `the purpose must be ${authority.purpose}, or one below it`,
    }
  }
  const broken = authority.constraints.find(
    (bound) => appliesTo(bound, call) && !meets(bound, quantityOf(bound, call)),
  )
  if (broken === undefined) return null
  const field = `constraints[${constraintKey(broken)}]`
  return { outcome: 'ceiling_exceeded', field, detail: says(broken) }
}

/** The longest lease in seconds, or `null`. It clamps; it never refuses. */
export function ttlCeiling(authority: Authority): number | null {
  const bounds = authority.constraints.flatMap((bound) =>
    bound.key === 'ttl_seconds' && 'max' in bound ? [bound.max] : [],
  )
  return bounds.length > 0 ? Math.min(...bounds) : null
}

/** `tool#…` holds only for calls of a tool that it covers. `ttl_seconds` bounds no call. */
export function appliesTo({ key }: Constraint, call: Bounded): boolean {
  if (key === 'ttl_seconds') return false
  const [scope, path] = key.split('#')
  return path === undefined || covers(scope ?? '', call.tool.name)
}

/** What a bound is about: 1 for each call, or what its key names in the call. */
export function quantityOf({ key }: Constraint, call: Bounded): Json | undefined {
  return key === 'calls' ? 1 : valueAt(call, key.slice(key.indexOf('#') + 1))
}
