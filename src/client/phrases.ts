/** Bounds, and what a hop gives up, in words for people. */
import type { ChainAuthority, Narrowing } from '../domain/authority.ts'
import { type Constraint, constraintKey } from '../domain/constraint.ts'
import type { Dropped, Tightened } from '../domain/dropped.ts'
import type { Json } from '../domain/json.ts'

/** `facts.tables only public.orders`, `20 calls in all`. */
export function boundPhrase(bound: Constraint): string {
  const { key } = bound
  if ('eq' in bound) return `${key} is ${shown(bound.eq)}`
  if ('one_of' in bound) return `${key} one of ${listed(bound.one_of)}`
  if ('subset_of' in bound) return `${key} only ${listed(bound.subset_of)}`
  if ('not_one_of' in bound) return `${key} none of ${listed(bound.not_one_of)}`
  if ('prefix' in bound) return `${key} begins with ${bound.prefix}`
  if ('min' in bound) return `${key} at least ${String(bound.min)}`
  if ('max' in bound) return maxPhrase(key, bound.max)
  if ('max_length' in bound) return `${key} at most ${String(bound.max_length)} long`
  if ('rank' in bound) return `${key} at most ${bound.rank}`
  if ('max_subtree' in bound) return totalPhrase(key, bound.max_subtree, 'in all')
  return totalPhrase(key, bound.max_lifetime, 'by itself')
}

const maxPhrase = (key: string, max: number) =>
  key === 'ttl_seconds'
    ? `credentials for ${String(max)} s at most`
    : `${key} at most ${String(max)}`
const totalPhrase = (key: string, limit: number, whose: string) =>
  key === 'calls'
    ? `${String(limit)} calls ${whose}`
    : `${key} adds up to ${String(limit)} ${whose}`

/** What the one above has and this one has not; nothing where it was handed on whole. */
export function droppedPhrases({ scopes, purpose, constraints, hops }: Dropped): string[] {
  return [
    ...scopes.map((scope) => `tool ${scope}`),
    ...(purpose === null ? [] : [`purpose ${purpose}`]),
    ...constraints.map(tightenedPhrase),
    ...(hops > 0 ? [`${String(hops)} further ${hops === 1 ? 'hop' : 'hops'}`] : []),
  ]
}

function tightenedPhrase({ key, type, was, is }: Tightened): string {
  if (was === null) return `any ${key} (now ${type} ${shown(is)})`
  if (Array.isArray(was) && Array.isArray(is)) {
    const gone = was.filter((item) => !is.includes(item))
    return type === 'not_one_of' ? `${key} ${listed(is)}` : `${key} ${listed(gone)}`
  }
  const more = typeof was === 'number' ? `${shown(was)} → ${shown(is)}` : `${shown(was)} in general`
  return key === 'calls' ? `calls ${more}` : `${key} ${more}`
}

/** Why a hop would be wider than what it rests on, in the words of what was asked for. */
export function widerPhrase(held: ChainAuthority, wanted: Narrowing, field: string): string {
  const index = /^scopes\[(\d+)\]$/.exec(field)?.[1]
  if (index !== undefined) {
    return `${wanted.scopes?.[Number(index)] ?? 'a tool'} is not held: ${listed(held.scopes)} is`
  }
  if (field === 'purpose') {
    return `the purpose ${wanted.purpose ?? ''} is neither ${held.purpose} nor below it`
  }
  const named = (bounds: readonly Constraint[] = []) =>
    bounds.find((bound) => field === `constraints[${constraintKey(bound)}]`)
  const [above, below] = [named(held.constraints), named(wanted.constraints)]
  if (!above || !below) return `${field} would be wider than what is held`
  const added = addedBy(below, above)
  const adds = added.length > 0 ? `${below.key} adds ${listed(added)}` : boundPhrase(below)
  return `${adds}, and what is held is: ${boundPhrase(above)}`
}

function addedBy(below: Constraint, above: Constraint): readonly Json[] {
  const setOf = (bound: Constraint): readonly Json[] =>
    'subset_of' in bound ? bound.subset_of : 'one_of' in bound ? bound.one_of : []
  return setOf(below).filter((item) => !setOf(above).includes(item))
}

const shown = (value: Json) => (typeof value === 'string' ? value : JSON.stringify(value))
const listed = (items: readonly Json[]) => items.map(shown).join(', ')
