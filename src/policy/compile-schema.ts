/** Pure: requests read by the schema that Cedar would hold them to. */
import type {
  CedarValueJson,
  EntityJson,
  EntityType,
  SchemaJson,
  Type,
} from '@cedar-policy/cedar-wasm/nodejs'
import type { Asking } from './asking.ts'
import { Unsupported } from './compile-expression.ts'
import {
  type Entity,
  isWellFormed,
  type RecordOf,
  type Seen,
  setOf,
  type Uid,
  uidFrom,
  type Value,
} from './compile-values.ts'

/** The schema as Cedar writes it, every name resolved. */
export type Schema = SchemaJson<string>

/** One kind of request: who asks for what, on what. */
export interface Place {
  readonly action: string
  readonly principalType: string
  readonly resourceType: string
  /** `null` for what is not exactly as the schema says: Cedar says what is wrong with it. */
  readonly read: (asking: Asking) => Seen | null
}
export interface Places {
  readonly places: readonly Place[]
  /** Members of the context that no compiled rule may look at. */
  readonly unread: ReadonlySet<string>
}

/** @throws Unsupported where the schema has more than actions, plain entities and plain types */
export function placesOf(schema: Schema): Places {
  const { '': names, ...others } = schema
  if (names === undefined || Object.keys(others).length > 0) throw new Unsupported('namespaces')
  const entityTypes = Object.entries(names.entityTypes).map(
    ([name, type]) => [name, entityReader(name, type)] as const,
  )
  const entities = new Map(entityTypes)
  const unread = new Set<string>()
  const places = Object.entries(names.actions).flatMap(([action, { appliesTo, ...more }]) => {
    if ('memberOf' in more || 'attributes' in more) throw new Unsupported('groups of actions')
    const { principalTypes, resourceTypes, context } = appliesTo ?? NOWHERE
    const readContext = contextReader(context ?? { type: 'Record', attributes: {} }, unread)
    const read = requestReader(readContext, entities)
    return principalTypes.flatMap((principalType) =>
      resourceTypes.map((resourceType) => ({ action, principalType, resourceType, read })),
    )
  })
  return { places, unread }
}

const NOWHERE = { principalTypes: [], resourceTypes: [], context: undefined }

type ReadContext = (json: CedarValueJson | undefined) => RecordOf | null
type ReadEntity = (json: EntityJson) => Entity | null

function requestReader(
  readContext: ReadContext,
  entityTypes: ReadonlyMap<string, ReadEntity>,
): Place['read'] {
  return (asking) => {
    const [principal, action, resource] = [asking.principal, asking.action, asking.resource].map(
      uidFrom,
    )
    const context = readContext(asking.context)
    const entities = asking.entities.map((json) => {
      const uid = uidFrom('type' in json.uid ? json.uid : undefined)
      return (uid && entityTypes.get(uid.type)?.(json)) ?? null
    })
    if (!principal || !action || !resource || !context || !isFlat(entities)) return null
    return { principal, action, resource, context, entities }
  }
}

/** Each once, none in another: then being in something is being there, or having it as a parent. */
function isFlat(entities: readonly (Entity | null)[]): entities is readonly Entity[] {
  const given = new Set<string>()
  for (const entity of entities) {
    if (entity === null || given.has(keyOf(entity.uid))) return false
    given.add(keyOf(entity.uid))
  }
  return entities.every((entity) => !entity?.parents.some((parent) => given.has(keyOf(parent))))
}
const keyOf = ({ type, id }: Uid) => `${type} ${id}`

function entityReader(name: string, type: EntityType<string>): ReadEntity {
  if (!('memberOfTypes' in type || 'shape' in type) && Object.keys(type).length > 0) {
    throw new Unsupported(`entities like ${name}`)
  }
  const {
    memberOfTypes = [],
    shape = EMPTY,
    tags,
  } = type as Exclude<typeof type, { enum: unknown }>
  if (tags !== undefined) throw new Unsupported(`tags of ${name}`)
  const readAttrs = recordReader(shape)
  return (json) => {
    const uid = uidFrom('type' in json.uid ? json.uid : undefined)
    const attrs = readAttrs(json.attrs)
    if (uid === null || attrs === null || 'tags' in json) return null
    const parents: Uid[] = []
    for (const parent of json.parents) {
      const place = uidFrom('type' in parent ? parent : undefined)
      if (place === null || !memberOfTypes.includes(place.type)) return null
      parents.push(place)
    }
    return { uid, attrs, parents }
  }
}
const EMPTY: Type<string> = { type: 'Record', attributes: {} }

type Read = (json: CedarValueJson | undefined) => Value | null

/** Times are looked at, whether they are any, and then left out: no compiled rule reads one. */
function contextReader(type: Type<string>, unread: Set<string>): ReadContext {
  if (!isRecordType(type)) throw new Unsupported('a context that is no record')
  const members = Object.entries(type.attributes)
  const times = members.filter(([, { type: name }]) => name === 'datetime').map(([name]) => name)
  const rest = members.filter(([name]) => !times.includes(name))
  for (const name of times) unread.add(name)
  const readRest = recordReader({ ...type, attributes: Object.fromEntries(rest) }, times)
  return (json) => {
    const record = readRest(json)
    if (record === null) return null
    return times.every((name) => isTime((json as Readonly<Record<string, unknown>>)[name]))
      ? record
      : null
  }
}

/** As `Date.toISOString` writes it. */
function isTime(value: unknown): boolean {
  if (typeof value !== 'string' || !/^[1-9]\d{3}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/.test(value))
    return false
  const time = new Date(value)
  return !Number.isNaN(time.getTime()) && time.toISOString() === value
}

type RecordType = Extract<Type<string>, { type: 'Record' }>
const isRecordType = (type: Type<string>): type is RecordType => type.type === 'Record'

/** Exactly the declared members; those `besides` them are somebody else's to read. */
function recordReader(type: Type<string>, besides: readonly string[] = []): ReadContext {
  if (!isRecordType(type) || type.additionalAttributes === true) {
    throw new Unsupported('open records')
  }
  const members = Object.entries(type.attributes).map(([name, member]) => ({
    ...{ name, read: reader(member), isRequired: member.required !== false },
  }))
  const known = new Set([...members.map(({ name }) => name), ...besides])
  return (json) => {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) return null
    const given = json as Readonly<Record<string, CedarValueJson>>
    for (const name of Object.keys(given)) if (!known.has(name)) return null
    const read = new Map<string, Value>()
    for (const member of members) {
      if (!Object.hasOwn(given, member.name)) {
        if (member.isRequired) return null
        continue
      }
      const value = member.read(given[member.name])
      if (value === null) return null
      read.set(member.name, value)
    }
    return { kind: 'record', members: read }
  }
}

function reader(type: Type<string>): Read {
  switch (type.type) {
    case 'String':
      return (json) => (typeof json === 'string' && isWellFormed(json) ? json : null)
    case 'Long':
      return (json) => (typeof json === 'number' && Number.isSafeInteger(json) ? json : null)
    case 'Bool':
    case 'Boolean':
      return (json) => (typeof json === 'boolean' ? json : null)
    case 'Record':
      return recordReader(type)
    case 'Set':
      return 'element' in type ? setReader(reader(type.element)) : unsupported(type)
    case 'Entity':
      return 'name' in type ? entityOf(type.name) : unsupported(type)
    default:
      return unsupported(type)
  }
}

function unsupported({ type }: Type<string>): never {
  throw new Unsupported(`values of type ${type}`)
}

function entityOf(name: string): Read {
  return (json) => {
    const uid = uidFrom(json)
    return uid?.type === name ? uid : null
  }
}

function setReader(readItem: Read): Read {
  return (json) => {
    if (!Array.isArray(json)) return null
    const items: Value[] = []
    for (const item of json) {
      const read = readItem(item)
      if (read === null) return null
      items.push(read)
    }
    return setOf(items)
  }
}
