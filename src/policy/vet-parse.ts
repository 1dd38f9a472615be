/** Policy text → rules, checked. Calls Cedar's parser, so it runs in the vetting worker only. */
import * as cedar from '@cedar-policy/cedar-wasm/nodejs'
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import type { Compiled, VettedRule } from './cedar.ts'
import type { Sources } from './compile.ts'
import { filesLike, isPolicyText, type PolicyFiles } from './files.ts'
import type { Finding } from './findings.ts'
import { isTooDeep, lint, looksAtSponsor, secondsWithin } from './vet-lint.ts'

const BRACKETS_MAX = 50
const WITHIN_SECONDS = 600

export interface Parsed {
  /** `null` when something is wrong. */
  readonly compiled: Compiled | null
  readonly findings: readonly Finding[]
}

interface Part {
  readonly file: string
  readonly text: string
  readonly json: PolicyJson
}

/** Takes a set apart and checks it, up to what only an evaluation can show. */
export function parsePolicies(files: PolicyFiles, schema: string): Parsed {
  const texts = filesLike(files, isPolicyText)
  if (texts.length === 0) {
    return refused([
      told(
        '(the set)',
        null,
        'there is no policy',
        'Without a permit everything is refused: add a *.cedar file.',
      ),
    ])
  }
  const nested = texts.filter(([, text]) => bracketDepth(text) > BRACKETS_MAX)
  if (nested.length > 0) return refused(nested.map(([file]) => tooDeep(file)))

  const split = texts.map(([file, text]) => partsOf(file, text))
  const parts = split.flatMap(({ parts }) => parts)
  const findings = [
    ...split.flatMap(({ findings }) => findings),
    ...repeated(parts),
    ...parts.flatMap((part) =>
      lint(part.json).map(({ what, fix }) => told(part.file, idOf(part), what, fix)),
    ),
    ...parts.filter(({ json }) => isTooDeep(json)).map((part) => tooDeep(part.file, idOf(part))),
  ]
  if (findings.length > 0) return refused(findings)

  const policies = Object.fromEntries(parts.map((part) => [idOf(part), part.text]))
  const invalid = validated(parts, policies, schema)
  if (invalid.length > 0) return refused(invalid)
  const rules = parts.map((part) => ruleOf(part, schema))
  const looks = parts.some(({ json }) => looksAtSponsor(json))
  const sources = sourcesOf(parts, schema)
  return { compiled: { policies, rules, schema, sources, looksAtSponsor: looks }, findings: [] }
}

function sourcesOf(parts: readonly Part[], schema: string): Sources {
  const read = cedar.schemaToJsonWithResolvedTypes(schema)
  if (read.type === 'failure') throw new Error('a schema that was validated is none')
  const policies = Object.fromEntries(parts.map((part) => [idOf(part), part.json]))
  return { policies, schema: read.json }
}

const refused = (findings: readonly Finding[]): Parsed => ({ compiled: null, findings })
const told = (file: string, rule: string | null, what: string, fix: string): Finding => ({
  ...{ file, rule, what, fix },
})
const tooDeep = (file: string, rule: string | null = null) =>
  told(file, rule, 'nested too deep', 'Split the condition into several rules.')

/** Brackets inside one another, texts and comments left out. The parser does not survive too many. */
function bracketDepth(text: string): number {
  const bare = text.replace(/"(?:[^"\\]|\\[^])*"|\/\/[^\n]*/g, '')
  let [depth, deepest] = [0, 0]
  for (const mark of bare) {
    if ('([{'.includes(mark)) deepest = Math.max(deepest, (depth += 1))
    else if (')]}'.includes(mark)) depth -= 1
  }
  return deepest
}

function partsOf(file: string, text: string): { parts: Part[]; findings: Finding[] } {
  const split = cedar.policySetTextToParts(text)
  if (split.type === 'failure') {
    return { parts: [], findings: split.errors.map((error) => parseError(file, text, error)) }
  }
  const findings = split.policy_templates.map(() =>
    told(file, null, 'a template (?principal, ?resource)', 'Write it out as a policy.'),
  )
  const parts = split.policies.flatMap((policy): Part[] => {
    const read = cedar.policyToJson(policy)
    if (read.type === 'success') return [{ file, text: policy, json: read.json }]
    findings.push(...read.errors.map((error) => parseError(file, policy, error)))
    return []
  })
  return { parts, findings }
}

function parseError(file: string, text: string, error: DetailedError): Finding {
  const [at] = error.sourceLocations ?? []
  const line = at ? `line ${String(text.slice(0, at.start).split('\n').length)}: ` : ''
  return told(file, null, line + error.message, error.help ?? at?.label ?? 'See the Cedar grammar.')
}

const idOf = ({ json }: Part): string => json.annotations?.['id'] ?? ''

function repeated(parts: readonly Part[]): Finding[] {
  const first = new Map<string, Part>()
  return parts.flatMap((part) => {
    const id = idOf(part)
    const before = first.get(id)
    if (before === undefined) first.set(id, part)
    if (before === undefined || id === '') return []
    return [told(part.file, id, `the same @id as a rule of ${before.file}`, 'Give it another.')]
  })
}

function validated(
  parts: readonly Part[],
  policies: Record<string, string>,
  schema: string,
): Finding[] {
  const answer = cedar.validate({ schema, policies: { staticPolicies: policies } })
  const file = (id: string) => parts.find((part) => idOf(part) === id)?.file ?? '(the set)'
  if (answer.type === 'failure') {
    return answer.errors.map(({ message, help }) => told('(the set)', null, message, help ?? ''))
  }
  const { validationErrors, validationWarnings, otherWarnings } = answer
  return [
    ...[...validationErrors, ...validationWarnings].map(({ policyId, error }) =>
      told(file(policyId), policyId, error.message, error.help ?? 'See schema.cedarschema.'),
    ),
    ...otherWarnings.map(({ message, help }) => told('(the set)', null, message, help ?? '')),
  ]
}

function ruleOf(part: Part, schema: string): VettedRule {
  const marks = part.json.annotations ?? {}
  const met = cedar.getValidRequestEnvsPolicy(part.text, schema)
  if (met.type === 'failure') throw new Error(met.error)
  return {
    id: idOf(part),
    effect: part.json.effect,
    says: marks['say'] ?? null,
    asks: marks['ask'] ?? null,
    how: marks['how'] === 'passkey' ? 'passkey' : 'session',
    withinSeconds: secondsWithin(marks['within'] ?? '') ?? WITHIN_SECONDS,
    file: part.file,
    principals: met.principals,
    actions: met.actions.map((uid) => uid.replace(/^Action::"(.*)"$/, '$1')),
  }
}
