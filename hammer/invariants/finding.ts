/** What a check found. One that looked at nothing has shown nothing: it says how much it looked at. */
import type { Json, JsonObject } from '../../src/domain/json.ts'
import { isObject } from '../../src/domain/json.ts'
import type { Leaf, Snapshot } from '../snapshot.ts'

export interface Check {
  readonly id: string
  readonly says: string
  /** `calm`: what is still being ended or signed is no fault; it holds once everything has come to rest. */
  readonly when: 'always' | 'calm'
  readonly look: (seen: Snapshot) => Found
}

export interface Found {
  /** Things looked at. */
  readonly looked: number
  readonly violations: readonly string[]
}

export interface Finding extends Found {
  readonly id: string
  readonly says: string
}

/** Looks at each thing; what `fault` says of one is a violation, `null` is none. */
export function each<T>(things: readonly T[], fault: (thing: T) => string | null): Found {
  const violations = things.map(fault).filter((it) => it !== null)
  return { looked: things.length, violations }
}

export function both(...found: readonly Found[]): Found {
  return {
    looked: found.reduce((sum, { looked }) => sum + looked, 0),
    violations: found.flatMap(({ violations }) => violations),
  }
}

/** A member of a record, however deep; `null` where there is none. */
export function at(record: JsonObject, ...path: readonly string[]): Json {
  let value: Json = record
  for (const name of path) {
    const inner: Json | undefined = isObject(value) ? value[name] : null
    value = inner ?? null
  }
  return value
}

export const textAt = (record: JsonObject, ...path: readonly string[]): string | null => {
  const value = at(record, ...path)
  return typeof value === 'string' ? value : null
}

export const ofType = ({ leaves }: Snapshot, ...types: readonly string[]): Leaf[] =>
  leaves.filter(({ type }) => types.includes(type))

/** The first of each name. */
export function byName<T>(things: readonly T[], name: (thing: T) => string | null): Map<string, T> {
  const found = new Map<string, T>()
  for (const thing of things) {
    const own = name(thing)
    if (own !== null && !found.has(own)) found.set(own, thing)
  }
  return found
}

export function grouped<T>(things: readonly T[], name: (thing: T) => string | null) {
  const groups = new Map<string, T[]>()
  for (const thing of things) {
    const own = name(thing)
    if (own !== null) groups.set(own, [...(groups.get(own) ?? []), thing])
  }
  return groups
}

export const decisionsOf = (seen: Snapshot) =>
  byName(ofType(seen, 'decision'), ({ record }) => textAt(record, 'decision', 'id'))
export const issuancesOf = (seen: Snapshot) =>
  byName(ofType(seen, 'issuance'), ({ record }) => textAt(record, 'credential', 'id'))
export const credentialsOf = (seen: Snapshot) => byName(seen.credentials, ({ id }) => id)

/** Attempts that got a secret. */
export const delivered = ({ journal }: Snapshot) => journal.filter(({ secret }) => secret !== null)
export const isYes = ({ status }: { readonly status: number }) => status >= 200 && status < 300
