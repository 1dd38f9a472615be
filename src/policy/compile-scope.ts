/** Pure: the scope of a policy: where it can matter at all, and what is left to ask of a request. */
import type { EntityUidJson, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { isIn } from './compile-entities.ts'
import { Unsupported } from './compile-expression.ts'
import type { Place } from './compile-schema.ts'
import { isSameUid, type Seen, type Uid, uidFrom } from './compile-values.ts'

export interface Scope {
  /** Elsewhere the policy is not satisfied, and does not fail: Cedar looks at the scope first. */
  readonly canMatterIn: (place: Place) => boolean
  readonly admits: (seen: Seen) => boolean
}

/** @throws Unsupported for templates, and for `is … in` */
export function scopeOf({ principal, action, resource }: PolicyJson): Scope {
  const [who, what, on] = [partOf(principal), actionsOf(action), partOf(resource)]
  return {
    canMatterIn: ({ action: id, principalType, resourceType }) =>
      (what === null || what.includes(id)) &&
      (who.type === null || who.type === principalType) &&
      (on.type === null || on.type === resourceType),
    admits: (seen) => who.admits(seen, seen.principal) && on.admits(seen, seen.resource),
  }
}

interface Part {
  /** Entities of any other type are out; `null`: of every type may be in. */
  readonly type: string | null
  readonly admits: (seen: Seen, uid: Uid) => boolean
}

const all = () => true

function partOf(constraint: PolicyJson['principal' | 'resource']): Part {
  switch (constraint.op) {
    case 'All':
      return { type: null, admits: all }
    case 'is': {
      if ('in' in constraint) throw new Unsupported('it uses is … in')
      return { type: constraint.entity_type, admits: all }
    }
    case '==': {
      const place = placeOf(constraint)
      return { type: place.type, admits: (_seen, uid) => isSameUid(uid, place) }
    }
    case 'in': {
      const place = placeOf(constraint)
      return { type: null, admits: (seen, uid) => isIn(seen, uid, place) }
    }
  }
}

/** Ids of actions; `null` for all of them. No action is in another: the schema sees to that. */
function actionsOf(constraint: PolicyJson['action']): readonly string[] | null {
  if (constraint.op === 'All') return null
  const uids = 'entities' in constraint ? constraint.entities.map(placeFrom) : [placeOf(constraint)]
  return uids.flatMap(({ type, id }) => (type === 'Action' ? [id] : []))
}

function placeOf(constraint: { entity: EntityUidJson } | { slot: string }): Uid {
  if ('slot' in constraint) throw new Unsupported('it is a template')
  return placeFrom(constraint.entity)
}

function placeFrom(json: EntityUidJson): Uid {
  const uid = uidFrom('__entity' in json ? json.__entity : json)
  if (uid === null) throw new Unsupported('its scope names something else than an entity')
  return uid
}
