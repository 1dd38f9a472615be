/** Pure: the values that compiled rules compute with, and when two of them are the same. */
import type { CedarValueJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs'

/** Whole numbers are within ±(2^53 - 1). A set is a list with or without an index, in any order. */
export type Value = boolean | number | string | Uid | SetOf | RecordOf

export interface Uid {
  readonly kind: 'uid'
  readonly type: string
  readonly id: string
}
export interface SetOf {
  readonly kind: 'set'
  readonly items: readonly Value[]
  /** The same items where all are texts, numbers and truth values, and looking through them would be long. */
  readonly index: ReadonlySet<Value> | null
}
export interface RecordOf {
  readonly kind: 'record'
  readonly members: ReadonlyMap<string, Value>
}

/** One request as rules see it. */
export interface Seen {
  readonly principal: Uid
  readonly action: Uid
  readonly resource: Uid
  readonly context: RecordOf
  readonly entities: readonly Entity[]
}
export interface Entity {
  readonly uid: Uid
  readonly attrs: RecordOf
  readonly parents: readonly Uid[]
}

/** This rule fails on this request, as it would in Cedar. */
export class RuleFailure extends Error {
  override readonly name = 'RuleFailure'
}

/** A number that JavaScript would round: only Cedar can go on. */
export class BeyondUs extends Error {
  override readonly name = 'BeyondUs'
}

export const uidOf = ({ type, id }: TypeAndId): Uid => ({ kind: 'uid', type, id })

const INDEXED_MIN = 8

export function setOf(items: readonly Value[]): SetOf {
  const isLong = items.length >= INDEXED_MIN && items.every(isPlain)
  return { kind: 'set', items, index: isLong ? new Set(items) : null }
}

export function isPlain(value: unknown): value is boolean | number | string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}

export function holds({ items, index }: SetOf, value: Value): boolean {
  return index ? index.has(value) : items.some((item) => same(item, value))
}

export function containsAll(whole: SetOf, part: SetOf): boolean {
  return part.items.every((item) => holds(whole, item))
}

/** Cedar's `==`: values of different kinds differ, and sets are equal that hold the same. */
export function same(one: Value, other: Value): boolean {
  if (typeof one !== 'object' || typeof other !== 'object') return one === other
  if (one.kind === 'uid') return other.kind === 'uid' && isSameUid(one, other)
  if (one.kind === 'set') {
    return other.kind === 'set' && containsAll(one, other) && containsAll(other, one)
  }
  if (other.kind !== 'record' || one.members.size !== other.members.size) return false
  return [...one.members].every(([name, value]) => {
    const its = other.members.get(name)
    return its !== undefined && same(value, its)
  })
}

export function isSameUid(one: Uid, other: Uid): boolean {
  return one.id === other.id && one.type === other.type
}

const LONE_SURROGATE = /\p{Surrogate}/u
export const isWellFormed = (text: string): boolean => !LONE_SURROGATE.test(text)

/** `{type, id}`, or `null` for anything else. */
export function uidFrom(json: CedarValueJson | TypeAndId | undefined): Uid | null {
  if (typeof json !== 'object' || json === null || !('type' in json) || !('id' in json)) return null
  const { type, id } = json
  if (typeof type !== 'string' || typeof id !== 'string') return null
  return Object.keys(json).length === 2 && isWellFormed(id) ? { kind: 'uid', type, id } : null
}
