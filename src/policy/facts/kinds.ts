/** Pure: the kinds of facts there are. A tool declares one; what it gives is in its actions' schema. */
import type { JsonObject } from '../../domain/json.ts'
import { argumentFacts } from './arguments.ts'
import { httpFacts, isHttpGrant } from './http.ts'
import { type Parse, sqlFacts } from './sql.ts'

export type Facts =
  | {
      readonly kind: 'sql'
      /** Which argument is the text. */
      readonly from: string
      readonly default_schema: string
      readonly functions: readonly string[]
    }
  | { readonly kind: 'arguments'; readonly fields: Readonly<Record<string, string>> }
  /** Of the request, and of these arguments besides. */
  | { readonly kind: 'http'; readonly fields: Readonly<Record<string, string>> }

export type CedarType = 'String' | 'Long' | 'Bool' | 'Set<String>'
export type Shape = Readonly<Record<string, CedarType>>

const SQL: Shape = {
  verbs: 'Set<String>',
  tables: 'Set<String>',
  writes: 'Set<String>',
  functions: 'Set<String>',
  statements: 'Long',
  opaque: 'Bool',
}

const HTTP: Shape = { method: 'String', path: 'String', query_names: 'Set<String>' }

/** What rules may ask about; `typeOf` says what an argument is, `null` for what cannot be a fact. */
export function shapeOf(facts: Facts, typeOf: (argument: string) => CedarType | null): Shape {
  if (facts.kind === 'sql') return SQL
  const named = Object.fromEntries(
    Object.entries(facts.fields).flatMap(([name, from]) => {
      const type = typeOf(from)
      return type === null ? [] : [[name, type]]
    }),
  )
  return facts.kind === 'http' ? { ...named, ...HTTP } : named
}

/** A function from arguments that fit the tool to the facts of them. */
export function factsFor(
  facts: Facts,
  parse: Parse,
  grant?: unknown,
): (args: JsonObject) => JsonObject {
  if (facts.kind === 'arguments') return (args) => argumentFacts(args, facts.fields)
  if (facts.kind === 'http') {
    // Of another connector's tool, which the catalogue refuses: nothing is ever asked of it.
    if (!isHttpGrant(grant)) return () => ({})
    return (args) => ({ ...argumentFacts(args, facts.fields), ...httpFacts(args, grant) })
  }
  const reading = { defaultSchema: facts.default_schema, functions: new Set(facts.functions) }
  return (args) => {
    const sql = args[facts.from]
    const read = sqlFacts(typeof sql === 'string' ? sql : '', parse, reading)
    const { verbs, tables, writes, functions, ...rest } = read
    return {
      ...{ verbs: [...verbs], tables: [...tables] },
      ...{ writes: [...writes], functions: [...functions] },
      ...rest,
    }
  }
}
