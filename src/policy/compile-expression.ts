/** Pure: one expression of a policy, as Cedar writes it in JSON, made into a function. */
import type { Expr } from '@cedar-policy/cedar-wasm/nodejs'
import { attrsOf, hasAll, isIn } from './compile-entities.ts'
import { isLike } from './compile-like.ts'
import {
  BeyondUs,
  containsAll,
  holds,
  isPlain,
  RuleFailure,
  same,
  type Seen,
  type SetOf,
  setOf,
  type Uid,
  uidFrom,
  type Value,
} from './compile-values.ts'

/** Throws `RuleFailure` where Cedar reports an error, and `BeyondUs` where only Cedar can go on. */
export type Compute = (seen: Seen) => Value

/** A rule uses something that is left to Cedar. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported'
}

/**
 * The function of an expression: each operator with Cedar's own order, short cuts and errors.
 *
 * @throws Unsupported for extension types, tags, templates, `is … in`, and whatever is not known here
 */
export function compileExpression(expression: Expr): Compute {
  const [[name, operand] = ['', null], ...others] = Object.entries(expression)
  const make = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined
  if (make === undefined || others.length > 0) throw new Unsupported(`it uses ${name}`)
  return make(operand as never)
}

interface Pair {
  readonly left: Expr
  readonly right: Expr
}
interface Single {
  readonly arg: Expr
}

const OPERATORS: Readonly<Record<string, (operand: never) => Compute>> = {
  Value: literal,
  Var: variable,
  Set: (items: readonly Expr[]) => {
    const made = items.map(compileExpression)
    const isFixed = items.every((item) => 'Value' in item && isPlain(item.Value))
    // A list that is written out is the same for every request; only what it holds matters.
    const fixed = isFixed ? setOf(made.map((item) => item(NOBODY))) : null
    return fixed ? () => fixed : (seen) => setOf(made.map((item) => item(seen)))
  },
  Record: (members: Readonly<Record<string, Expr>>) => {
    const made = Object.entries(members).map(
      ([name, value]) => [name, compileExpression(value)] as const,
    )
    return (seen) => ({
      kind: 'record',
      members: new Map(made.map(([name, value]) => [name, value(seen)])),
    })
  },

  '!': ({ arg }: Single) => {
    const value = truthOf(arg)
    return (seen) => !value(seen)
  },
  '&&': ({ left, right }: Pair) => {
    const [first, second] = [truthOf(left), truthOf(right)]
    return (seen) => first(seen) && second(seen)
  },
  '||': ({ left, right }: Pair) => {
    const [first, second] = [truthOf(left), truthOf(right)]
    return (seen) => first(seen) || second(seen)
  },
  'if-then-else': (parts: { if: Expr; then: Expr; else: Expr }) => {
    const condition = truthOf(parts.if)
    const [yes, no] = [compileExpression(parts.then), compileExpression(parts.else)]
    return (seen) => (condition(seen) ? yes(seen) : no(seen))
  },

  '==': of(compileExpression, same),
  '!=': of(compileExpression, (left, right) => !same(left, right)),
  '<': of(wholeOf, (left, right) => left < right),
  '<=': of(wholeOf, (left, right) => left <= right),
  '>': of(wholeOf, (left, right) => left > right),
  '>=': of(wholeOf, (left, right) => left >= right),
  '+': of(wholeOf, (left, right) => exact(left + right)),
  '-': of(wholeOf, (left, right) => exact(left - right)),
  '*': of(wholeOf, (left, right) => exact(left * right)),
  neg: ({ arg }: Single) => {
    const value = wholeOf(arg)
    return (seen) => -value(seen)
  },

  contains: ({ left, right }: Pair) => {
    const [set, value] = [setFrom(left), compileExpression(right)]
    return (seen) => holds(set(seen), value(seen))
  },
  containsAll: of(setFrom, containsAll),
  containsAny: of(setFrom, (left, right) =>
    left.index ? right.items.some((item) => holds(left, item)) : anyOf(left, right),
  ),
  isEmpty: ({ arg }: Single) => {
    const set = setFrom(arg)
    return (seen) => set(seen).items.length === 0
  },
  like: ({ left, pattern }: { left: Expr; pattern: Parameters<typeof isLike>[0] }) => {
    const [text, fits] = [textOf(left), isLike(pattern)]
    return (seen) => fits(text(seen))
  },

  is: ({ left, entity_type: type, ...more }: { left: Expr; entity_type: string }) => {
    if ('in' in more) throw new Unsupported('it uses is … in')
    const uid = uidOfType(left)
    return (seen) => uid(seen).type === type
  },
  in: ({ left, right }: Pair) => {
    const [uid, places] = [uidOfType(left), compileExpression(right)]
    return (seen) => {
      const one = uid(seen)
      return placesOf(places(seen)).some((place) => isIn(seen, one, place))
    }
  },
  has: ({ left, attr }: { left: Expr; attr: string | readonly string[] }) => {
    const value = compileExpression(left)
    const names = [attr].flat()
    return (seen) => hasAll(seen, value(seen), names)
  },
  '.': ({ left, attr }: { left: Expr; attr: string }) => {
    const value = compileExpression(left)
    return (seen) => {
      const found = attrsOf(seen, value(seen))?.members.get(attr)
      if (found === undefined) throw new RuleFailure(`there is no attribute ${attr}`)
      return found
    }
  },
}

/** Both sides, the left one first, each as what the operator takes. */
function of<Operand>(
  as: (expression: Expr) => (seen: Seen) => Operand,
  operate: (left: Operand, right: Operand) => Value,
): (pair: Pair) => Compute {
  return ({ left, right }) => {
    const [first, second] = [as(left), as(right)]
    return (seen) => operate(first(seen), second(seen))
  }
}

function literal(json: Extract<Expr, { Value: unknown }>['Value']): Compute {
  if (typeof json === 'number' && !Number.isSafeInteger(json)) {
    throw new Unsupported('it has a number beyond 2^53')
  }
  if (isPlain(json)) return () => json
  const uid =
    typeof json === 'object' && json !== null && '__entity' in json ? uidFrom(json.__entity) : null
  if (uid === null) throw new Unsupported('it has a value of another kind')
  return () => uid
}

function variable(name: 'principal' | 'action' | 'resource' | 'context'): Compute {
  switch (name) {
    case 'principal':
      return (seen) => seen.principal
    case 'action':
      return (seen) => seen.action
    case 'resource':
      return (seen) => seen.resource
    case 'context':
      return (seen) => seen.context
  }
}

/** What a literal is computed from: it looks at nothing. */
const NOBODY: Seen = {
  principal: { kind: 'uid', type: '', id: '' },
  action: { kind: 'uid', type: '', id: '' },
  resource: { kind: 'uid', type: '', id: '' },
  context: { kind: 'record', members: new Map() },
  entities: [],
}

export function truthOf(expression: Expr): (seen: Seen) => boolean {
  const value = compileExpression(expression)
  return (seen) => {
    const truth = value(seen)
    if (typeof truth !== 'boolean') throw new RuleFailure('a truth value is expected')
    return truth
  }
}

function wholeOf(expression: Expr): (seen: Seen) => number {
  const value = compileExpression(expression)
  return (seen) => {
    const whole = value(seen)
    if (typeof whole !== 'number') throw new RuleFailure('a whole number is expected')
    return whole
  }
}

function textOf(expression: Expr): (seen: Seen) => string {
  const value = compileExpression(expression)
  return (seen) => {
    const text = value(seen)
    if (typeof text !== 'string') throw new RuleFailure('a text is expected')
    return text
  }
}

function setFrom(expression: Expr): (seen: Seen) => SetOf {
  const value = compileExpression(expression)
  return (seen) => {
    const set = value(seen)
    if (typeof set !== 'object' || set.kind !== 'set') throw new RuleFailure('a set is expected')
    return set
  }
}

function uidOfType(expression: Expr): (seen: Seen) => Uid {
  const value = compileExpression(expression)
  return (seen) => asUid(value(seen))
}

function asUid(value: Value): Uid {
  if (typeof value === 'object' && value.kind === 'uid') return value
  throw new RuleFailure('an entity is expected')
}

function exact(whole: number): number {
  if (!Number.isSafeInteger(whole)) throw new BeyondUs('a number beyond 2^53')
  return whole
}

const anyOf = (left: SetOf, right: SetOf) => left.items.some((item) => holds(right, item))

function placesOf(value: Value): readonly Uid[] {
  return typeof value === 'object' && value.kind === 'set' ? value.items.map(asUid) : [asUid(value)]
}
