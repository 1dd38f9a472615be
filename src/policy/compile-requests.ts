/** Pure: requests made up for one policy set, most as they should be, some with something wrong. */
import type { CedarValueJson, EntityJson, Type } from '@cedar-policy/cedar-wasm/nodejs'
import type { JsonObject } from '../domain/json.ts'
import type { Asking } from './asking.ts'
import type { Sources } from './compile.ts'
import type { Lots } from './compile-lots.ts'
import { uidFrom } from './compile-values.ts'
import { type Words, wordsOf } from './compile-words.ts'

/** A source of requests that never ends. Its words are those that the rules speak of. */
export function requestsFor({ policies, schema }: Sources, lots: Lots): () => Asking {
  const words = wordsOf(Object.values(policies))
  const names = schema['']
  if (names === undefined) throw new TypeError('a schema without names')
  const actions = Object.entries(names.actions).flatMap(([id, { appliesTo }]) =>
    appliesTo ? [{ id, appliesTo }] : [],
  )
  const making: Making = { lots, words, shapeOf: (type) => names.entityTypes[type] ?? {} }
  return () => {
    const { id, appliesTo } = lots.among(actions)
    const [principal, resource] = [
      entityFor(making, lots.among(appliesTo.principalTypes)),
      entityFor(making, lots.among(appliesTo.resourceTypes)),
    ]
    const shape = appliesTo.context ?? { type: 'Record', attributes: {} }
    const asking: Asking = {
      principal: uidOf(principal),
      action: { type: 'Action', id },
      resource: uidOf(resource),
      context: valueFor(making, shape, '') as JsonObject,
      entities: [principal, resource, ...seenThrough(making, principal)],
    }
    return lots.oneIn(8) ? spoilt(making, asking) : asking
  }
}

interface Making {
  readonly lots: Lots
  readonly words: Words
  readonly shapeOf: (type: string) => object
}

const uidOf = ({ uid }: EntityJson) => uid as { type: string; id: string }

function entityFor({ lots, words, shapeOf }: Making, type: string, id?: string): EntityJson {
  const made = shapeOf(type) as { shape?: Type<string>; memberOfTypes?: readonly string[] }
  const named = words.uids(type)
  const own = named.length > 0 && lots.oneIn(2) ? lots.among(named).id : 'somebody'
  const { shape = { type: 'Record', attributes: {} }, memberOfTypes = [] } = made
  const parents = memberOfTypes.flatMap((place) =>
    [...words.uids(place), { type: place, id: 'elsewhere' }]
      .filter(() => lots.oneIn(2))
      .map((uid) => ({ type: uid.type, id: uid.id })),
  )
  const attrs = valueFor({ lots, words, shapeOf }, shape, '') as EntityJson['attrs']
  return { uid: { type, id: id ?? own }, attrs, parents }
}

/** Entities that the attributes of another name. */
function seenThrough(making: Making, { attrs }: EntityJson): EntityJson[] {
  return Object.values(attrs).flatMap((value) => {
    const uid = uidFrom(value)
    return uid ? [entityFor(making, uid.type, uid.id)] : []
  })
}

function valueFor(making: Making, type: Type<string>, attribute: string): CedarValueJson {
  const { lots, words } = making
  switch (type.type) {
    case 'String':
      return lots.among(words.texts(attribute))
    case 'Long':
      return lots.among(words.wholes(attribute))
    case 'Bool':
    case 'Boolean':
      return lots.oneIn(2)
    case 'datetime':
      return new Date(1_700_000_000_000 + lots.below(2 ** 31) * 1000).toISOString()
    case 'Set': {
      const { element } = type as Extract<Type<string>, { type: 'Set' }>
      return Array.from({ length: lots.below(4) }, () => valueFor(making, element, attribute))
    }
    case 'Entity': {
      const { name } = type as Extract<Type<string>, { type: 'Entity' }>
      return { type: name, id: lots.among([...words.uids(name).map(({ id }) => id), 'another']) }
    }
    case 'Record': {
      const { attributes } = type as Extract<Type<string>, { type: 'Record' }>
      const members = Object.entries(attributes).filter(
        ([, { required }]) => required !== false || lots.oneIn(2),
      )
      return Object.fromEntries(members.map(([name, of]) => [name, valueFor(making, of, name)]))
    }
    default:
      throw new TypeError('a type that no request is made of')
  }
}

/** One thing wrong with it: whatever Cedar makes of that, compiled rules have to make of it too. */
function spoilt({ lots }: Making, asking: Asking): Asking {
  const { context, entities } = asking
  const names = Object.keys(context)
  switch (lots.below(7)) {
    case 0: // As for a sponsor whom no rule looks at; or an attribute that is not there.
      return { ...asking, entities: entities.filter(() => !lots.oneIn(3)) }
    case 1:
      return { ...asking, entities: entities.map((one) => without(one, lots)) }
    case 2:
      return { ...asking, context: { ...context, [lots.among(names)]: lots.among(WRONG) } }
    case 3:
      return { ...asking, context: { ...context, unheard_of: true } }
    case 4: {
      const dropped = lots.among(names)
      const kept = Object.entries(context).filter(([name]) => name !== dropped)
      return { ...asking, context: Object.fromEntries(kept) }
    }
    case 5:
      return { ...asking, action: { type: 'Action', id: `${asking.action.id}.` } }
    default:
      return { ...asking, principal: { type: lots.among(TYPES), id: 'somebody' } }
  }
}

function without(entity: EntityJson, lots: Lots): EntityJson {
  const kept = Object.entries(entity.attrs).filter(() => !lots.oneIn(3))
  return { ...entity, attrs: Object.fromEntries(kept) }
}

const WRONG = [true, 7, 1.5, 'text', null, [], ['text'], [1], {}, { type: 'Agent', id: 'x' }]
const TYPES = ['Sponsor', 'Agent', 'Tool', 'ToolGroup', 'Nobody']
