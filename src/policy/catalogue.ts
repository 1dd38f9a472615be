/** The tools that are declared, each with all that a call of it is held to, made once. */
import { digestOf } from '../domain/digest.ts'
import type { JsonObject } from '../domain/json.ts'
import type { Tool } from '../domain/tool.ts'
import { checkFor, type Misfit } from './argument-check.ts'
import { cedarTypeOf, closed } from './argument-schema.ts'
import { Declaration } from './declaration.ts'
import { factsFor, type Shape, shapeOf } from './facts/kinds.ts'
import type { Parse } from './facts/sql.ts'
import { GRANTS } from './grant.ts'
import { isRequired, type Mistake } from './grants/granting.ts'
import { filesLike, isTool, type PolicyFiles } from './files.ts'
import type { Finding } from './findings.ts'
import { readYaml } from './yaml.ts'

export interface Declared {
  readonly tool: Tool
  /** What rules may ask of a call's facts. */
  readonly shape: Shape
  check(args: JsonObject): readonly Misfit[]
  facts(args: JsonObject): JsonObject
}
export type Catalogue = ReadonlyMap<string, Declared>

export function readCatalogue(
  files: PolicyFiles,
  parse: Parse,
): { catalogue: Catalogue; findings: Finding[] } {
  const catalogue = new Map<string, Declared>()
  const findings: Finding[] = []
  const declarations = filesLike(files, isTool)
  if (declarations.length === 0) {
    findings.push(finding('tools/', 'no tool is declared', 'Declare one in tools/<name>.yaml.'))
  }
  for (const [file, text] of declarations) {
    const read = readYaml(file, text, Declaration)
    if (!read.ok) findings.push(...read.findings)
    else {
      const { name } = read.value
      findings.push(...mistakesIn(file, read.value))
      catalogue.set(name, declared(read.value, parse))
    }
  }
  return { catalogue, findings }
}

/** What the schema of the file cannot say. The file is named for its tool, so that no name is twice. */
function mistakesIn(file: string, declaration: Declaration): Finding[] {
  const { name, arguments: schema, facts, grant, ttl_seconds: ttl } = declaration
  const found: Mistake[] = []
  if (file !== `tools/${name}.yaml`) found.push([`it declares ${name}`, `Call it ${name}.yaml.`])
  if (ttl.default > ttl.max) found.push(['ttl_seconds.default is above max', 'Lower it.'])
  const froms = facts.kind === 'sql' ? [facts.from] : Object.values(facts.fields)
  for (const from of froms) {
    const type = cedarTypeOf(schema, from)
    if (type === null || (facts.kind === 'sql' && type !== 'String')) {
      found.push([`facts need the argument ${from}`, isRequired])
    }
  }
  const isPlain = (name: string) => cedarTypeOf(schema, name) !== null
  const isDeclared = (name: string) => Object.hasOwn(schema.properties, name)
  const given = { facts: facts.kind, grant: grant as never, isPlain, isDeclared }
  if (facts.kind === 'http' && declaration.connector !== 'http') {
    found.push(['facts of kind http are of a tool of http', 'Declare those of its connector.'])
  }
  found.push(...GRANTS[declaration.connector].mistakes(given))
  return found.map(([what, fix]) => finding(file, what, fix))
}

function declared(declaration: Declaration, parse: Parse): Declared {
  const argumentsSchema = closed(declaration.arguments)
  return {
    tool: toolOf(declaration, argumentsSchema),
    shape: shapeOf(declaration.facts, (name) => cedarTypeOf(declaration.arguments, name)),
    check: checkFor(declaration.arguments),
    facts: factsFor(declaration.facts, parse, declaration.grant),
  }
}

function toolOf(declaration: Declaration, argumentsSchema: JsonObject): Tool {
  const { name, title, target, connector, groups, risk, ttl_seconds: ttl } = declaration
  return {
    ...{ name, title, target, connector, groups, risk, argumentsSchema },
    dataClasses: declaration.data_classes,
    senderConstraint: declaration.sender_constraint,
    ttlSecondsDefault: ttl.default,
    ttlSecondsMax: ttl.max,
    facts: declaration.facts,
    grant: declaration.grant as unknown as JsonObject,
    ...(declaration.canary && { isCanary: true }),
    hash: digestOf(declaration as unknown as JsonObject),
  }
}

const finding = (file: string, what: string, fix: string): Finding => ({
  ...{ file, what, fix },
  rule: null,
})
