/** The cases beside the policies: what a call is given, and what it must be answered. */
import { z } from 'zod'
import type { Answer } from '../domain/decision.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { Finding } from './findings.ts'
import { filesLike, isCases, type PolicyFiles } from './files.ts'
import { readYaml } from './yaml.ts'

const words = z.union([z.string(), z.array(z.string())]).transform((given) => [given].flat())
const count = z.int().min(0)

const Given = z.strictObject({
  tool: z.string(),
  arguments: z.record(z.string(), z.json()).default({}),
  purpose: z.string(),
  /** Groups of the sponsor. */
  groups: z.array(z.string()).default([]),
  model: z
    .strictObject({
      name: z.string().default('model'),
      tier: z.string(),
      basis: z.enum(['attested', 'claimed']).default('claimed'),
    })
    .optional(),
  /** A person has said yes to exactly this. */
  approved: z.boolean().default(false),
  ttl_seconds: count.optional(),
  uses_left: count.default(100),
  depth: z.int().min(0).max(7).default(0),
  now: z.iso.datetime().default('2026-11-23T10:00:00.000Z'),
  /** Asks whether the sponsor may consent to it, on these terms, instead of making the call. */
  consent: z
    .strictObject({
      max_uses: count.default(10),
      max_hops: count.default(0),
      max_ttl_seconds: count.default(300),
    })
    .optional(),
  /** Asks whether the agent may hand the tool on, instead of making the call. */
  delegate: z
    .strictObject({
      /** Of the hop that is made. */
      depth: z.int().min(1).max(7).default(1),
      same_sponsor: z.boolean().default(true),
      to: z.string().default('agt_another'),
    })
    .optional(),
})
export type Given = z.infer<typeof Given>

const Expected = z.strictObject({
  answer: z.enum(['allow', 'ask', 'deny', 'none']),
  /** Groups that are asked. */
  of: words.optional(),
  level: z.enum(['L1', 'L2', 'L3']).optional(),
  /** Exactly the rules that made the answer. */
  rules: words.optional(),
  reason: z.string().optional(),
  stopped: z.enum(['sponsor', 'agent']).optional(),
  /** Some of the facts. */
  facts: z.record(z.string(), z.json()).optional(),
})

const Case = z.strictObject({ name: z.string().min(3), given: Given, expect: Expected })
export type Case = z.infer<typeof Case>

export interface Outcome {
  readonly answer: Answer
  readonly level: string | null
  readonly facts: JsonObject
}

export interface FileReport {
  /** `sql.cedar`; for cases without such a file, the file of the cases. */
  readonly file: string
  readonly rules: number
  readonly cases: number
  readonly failures: readonly Finding[]
}
export interface CaseReport {
  readonly files: readonly FileReport[]
  /** Rules that made no answer of any case. */
  readonly untested: readonly { readonly file: string; readonly rule: string }[]
  /** Why the set could not be tried at all. */
  readonly findings: readonly Finding[]
}

export function readCases(files: PolicyFiles): {
  cases: readonly (Case & { file: string })[]
  findings: Finding[]
} {
  const read = filesLike(files, isCases).map(([file, text]) => ({
    file,
    read: readYaml(file, text, z.array(Case)),
  }))
  return {
    cases: read.flatMap(({ file, read }) =>
      read.ok ? read.value.map((one) => ({ ...one, file })) : [],
    ),
    findings: read.flatMap(({ read }) => (read.ok ? [] : [...read.findings])),
  }
}

/** How an outcome differs from what a case expects, in words; `null` when it does not. */
export function difference({ expect }: Case, { answer, level, facts }: Outcome): string | null {
  const actual: Record<string, Json> = {
    answer: answer.kind,
    rules: answer.rules.map(({ id }) => id).sort(),
    level,
    of: answer.kind === 'ask' ? [...answer.asked.of].sort() : [],
    reason: answer.kind === 'deny' ? (answer.reason ?? answer.outcome ?? null) : null,
    stopped: 'stoppedBy' in answer ? answer.stoppedBy.kind : null,
  }
  const { facts: expectedFacts = {}, ...members } = expect
  const wrong = [
    ...Object.entries(members).map(([name, value]) => [name, sorted(value), actual[name]] as const),
    ...Object.entries(expectedFacts).map(([name, value]) => [name, value, facts[name]] as const),
  ].filter(([, expected, got]) => JSON.stringify(expected) !== JSON.stringify(got))
  if (wrong.length === 0) return null
  return wrong
    .map(([name, expected, got]) => `${name} is ${shown(got)}, not ${shown(expected)}`)
    .join('; ')
}

const shown = (value: Json | undefined) => JSON.stringify(value ?? null)
const sorted = (value: string | string[] | undefined): Json =>
  Array.isArray(value) ? [...value].sort() : (value ?? null)
