/**
 * The closed vocabulary of purposes: `support.refunds` lies below `support`, and both are declared. One
 * may say that what is done for it was triggered from outside, and so do all below it.
 */
import { z } from 'zod'
import { isWithin, PURPOSE } from '../domain/purpose.ts'
import type { Finding } from './findings.ts'
import type { PolicyFiles } from './files.ts'
import { readYaml } from './yaml.ts'

export interface Purpose {
  readonly name: string
  /** One sentence, for people who consent to it. */
  readonly says: string
  /** What is done for it was triggered by an outsider: a letter, an issue, a page that was read. */
  readonly isExternal: boolean
}
export type Purposes = ReadonlyMap<string, Purpose>

const FILE = 'purposes.yaml'
const Sentence = z.string().min(3).max(200)
const Declared = z.union([
  Sentence.transform((says) => ({ says, trigger: null })),
  z.strictObject({ says: Sentence, trigger: z.literal('external') }),
])
const Vocabulary = z.record(z.string().max(64).regex(PURPOSE), Declared)

export function readPurposes(files: PolicyFiles): { purposes: Purposes; findings: Finding[] } {
  const text = files[FILE]
  if (text === undefined) {
    const fix = 'Declare at least one purpose in purposes.yaml, as `name: One sentence.`'
    return { purposes: new Map(), findings: [finding('there is none', fix)] }
  }
  const read = readYaml(FILE, text, Vocabulary)
  if (!read.ok) return { purposes: new Map(), findings: [...read.findings] }
  const declared = Object.entries(read.value)
  const outside = declared.flatMap(([name, { trigger }]) => (trigger === null ? [] : [name]))
  const purposes = new Map(
    declared.map(([name, { says }]): [string, Purpose] => {
      const isExternal = outside.some((above) => isWithin(name, above))
      return [name, { name, says, isExternal }]
    }),
  )
  const findings = [...purposes.keys()].flatMap((name) => {
    const above = name.slice(0, name.lastIndexOf('.'))
    if (!name.includes('.') || purposes.has(above)) return []
    return [finding(`${name} has nothing above it`, `Declare ${above} too, with a sentence.`)]
  })
  return { purposes, findings }
}

/**
 * Whether what is done for this purpose was triggered from outside. Purposes only narrow along a chain,
 * so what one hop has said holds for all below it. One that is not declared (any more) is taken for such.
 */
export function isExternal(purposes: Purposes, purpose: string): boolean {
  return purposes.get(purpose)?.isExternal ?? true
}

const finding = (what: string, fix: string): Finding => ({ file: FILE, rule: null, what, fix })
