/** Pure: entities as they were given with a request. */
import {
  type Entity,
  isSameUid,
  type RecordOf,
  RuleFailure,
  type Seen,
  type Uid,
  type Value,
} from './compile-values.ts'

/** Cedar's `in`. No parent of an entity has one itself: what is read sees to that. */
export function isIn({ entities }: Seen, one: Uid, place: Uid): boolean {
  if (isSameUid(one, place)) return true
  const parents = find(entities, one)?.parents ?? []
  return parents.some((parent) => isSameUid(parent, place))
}

/** The attributes of a record or an entity; `undefined` for an entity that was not given. */
export function attrsOf({ entities }: Seen, value: Value): RecordOf | undefined {
  if (typeof value !== 'object' || value.kind === 'set') {
    throw new RuleFailure('a record or an entity is expected')
  }
  return value.kind === 'record' ? value : find(entities, value)?.attrs
}

/** Cedar's `has`: each name is an attribute of what the one before it names. */
export function hasAll(seen: Seen, start: Value, names: readonly string[]): boolean {
  let value: Value | undefined = start
  for (const name of names) {
    value = attrsOf(seen, value)?.members.get(name)
    if (value === undefined) return false
  }
  return true
}

function find(entities: readonly Entity[], uid: Uid): Entity | undefined {
  return entities.find((entity) => isSameUid(entity.uid, uid))
}
