/** Authorities and their tightenings, by dice: small worlds in which faults are near. */
import { VALUES } from './oracle-values.ts'
import type { Members } from './making.ts'

export type Dice = (below: number) => number

/** A small generator with a seed: the same seed, the same chains. */
export function diceOf(seed: number): Dice {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

export const pick = <T>(dice: Dice, from: readonly T[]): T => from[dice(from.length)] as T
const some = <T>(dice: Dice, from: readonly T[]) => from.filter(() => dice(2) === 0)

export interface Stated {
  scopes: unknown[]
  constraints: Members[]
  purpose: string
}

const SCOPES = [
  'crm.*',
  'crm.customer.*',
  'crm.customer.read',
  'crm.read',
  'pay.refund',
  'Opaque:1',
]
export const TOOLS = ['crm.read', 'crm.customer.read', 'crm.customer.mail.send', 'pay.refund']
export const PURPOSES = [
  'support',
  'support.refunds',
  'support.refunds.damage',
  'support2',
  'sales',
]
const KEYS = [
  'args.a',
  'args.b',
  'facts.x-1',
  'crm.*#args.a',
  'pay.refund#args.a',
  'crm.read#facts.n',
]
const ELEMENTS = [1, 2, '1', 'a', 'b', 'c', true, false]
const ORDERS = [
  ['a', 'b', 'c'],
  ['c', 'b', 'a'],
  ['a', 'b'],
  ['a', 'b', 'c', 'd'],
]
const PREFIXES = ['a/', 'a/b/', 'a/b/c/', 'a2/', 'b/']

/** One bound of any type, over few values. */
export function aBound(dice: Dice): Members {
  const plain = dice(12)
  if (plain === 0) return { key: 'calls', [pick(dice, ['max_lifetime', 'max_subtree'])]: dice(8) }
  if (plain === 1) return { key: 'ttl_seconds', max: dice(8) }
  const key = pick(dice, KEYS)
  const order = pick(dice, ORDERS)
  const types: readonly (() => Members)[] = [
    () => ({ eq: pick(dice, ELEMENTS) }),
    () => ({ one_of: some(dice, ELEMENTS) }),
    () => ({ not_one_of: some(dice, ELEMENTS) }),
    () => ({ prefix: pick(dice, PREFIXES) }),
    () => ({ min: dice(8) - 1 }),
    () => ({ max: dice(9) === 0 ? 2.5 : dice(8) }),
    () => ({ subset_of: some(dice, ELEMENTS) }),
    () => ({ max_length: dice(8) }),
    () => ({ rank: pick(dice, order), order }),
    () => ({ max_lifetime: dice(8) }),
    () => ({ max_subtree: dice(8) }),
  ]
  return { key, ...pick(dice, types)() }
}

const nameOf = ({ key, ...rest }: Members) => [key, ...Object.keys(rest)].join()
export function anAuthority(dice: Dice): Stated {
  const bounds = Array.from({ length: dice(5) }, () => aBound(dice))
  const names = bounds.map(nameOf)
  return {
    scopes: some(dice, SCOPES),
    purpose: pick(dice, PURPOSES.slice(0, 3)),
    constraints: bounds.filter((_bound, at) => names.indexOf(names[at] ?? '') === at),
  }
}

/** Less of each, by taking away; some of it is left out, and some is new. */
export function tightened(above: Stated, inherited: readonly Members[], dice: Dice): Stated {
  const names = inherited.map(nameOf)
  const fresh = dice(3) === 0 ? [aBound(dice)] : []
  const isDeeper = dice(4) === 0 && above.purpose.split('.').length < 3
  const deeper = above.purpose === 'support' ? 'support.refunds' : `${above.purpose}.damage`
  return {
    scopes: above.scopes
      .filter(() => dice(5) > 0)
      .map((it) => lower(String(it), dice))
      .filter((it, at, all) => all.indexOf(it) === at),
    purpose: isDeeper ? deeper : above.purpose,
    constraints: [
      ...inherited.filter(() => dice(3) > 0).map((it) => tighter(it, dice)),
      ...fresh.filter((it) => !names.includes(nameOf(it))),
    ],
  }
}

function lower(scope: string, dice: Dice): string {
  if (scope === 'crm.*' && dice(3) === 0) return pick(dice, ['crm.customer.*', 'crm.read', 'crm.*'])
  return scope === 'crm.customer.*' && dice(3) === 0 ? 'crm.customer.read' : scope
}

function tighter(bound: Members, dice: Dice): Members {
  const to: Members = { ...bound }
  const less = (name: string) =>
    name in bound && (to[name] = Math.max(0, Number(bound[name]) - dice(2)))
  for (const name of ['max_length', 'max_lifetime', 'max_subtree']) less(name)
  if ('max' in bound) to['max'] = Number(bound['max']) - dice(2)
  if ('min' in bound) to['min'] = Number(bound['min']) + dice(2)
  for (const name of ['one_of', 'subset_of']) {
    if (name in bound) to[name] = (bound[name] as unknown[]).filter(() => dice(4) > 0)
  }
  if ('not_one_of' in bound)
    to['not_one_of'] = [...new Set([...(bound['not_one_of'] as unknown[]), pick(dice, ELEMENTS)])]
  if ('rank' in bound) {
    const order = bound['order'] as unknown[]
    to['rank'] = order[dice(order.indexOf(bound['rank']) + 1)]
  }
  if ('prefix' in bound && dice(2) === 0) {
    const prefix = String(bound['prefix'])
    to['prefix'] = pick(
      dice,
      PREFIXES.filter((it) => it.startsWith(prefix)),
    )
  }
  return to
}

/** One bound, a little otherwise: often wider. */
export function nudged(bound: Members, dice: Dice): Members {
  const fresh = { ...aBound(dice), key: bound['key'] }
  if (dice(3) === 0) return fresh
  const to: Members = { ...bound }
  for (const [name, value] of Object.entries(bound)) {
    if (typeof value === 'number') to[name] = value + dice(3) - 1
    if (Array.isArray(value) && name !== 'order') to[name] = some(dice, ELEMENTS)
  }
  if (Array.isArray(bound['order'])) {
    const order = dice(2) ? (bound['order'] as unknown[]) : pick(dice, ORDERS)
    Object.assign(to, { order, rank: pick(dice, order) })
  }
  if ('prefix' in bound) to['prefix'] = pick(dice, PREFIXES)
  if ('eq' in bound) to['eq'] = pick(dice, ELEMENTS)
  return to
}

/** A call of this small world. */
export function aCall(dice: Dice) {
  return { tool: pick(dice, TOOLS), purpose: pick(dice, PURPOSES), value: pick(dice, VALUES) }
}
