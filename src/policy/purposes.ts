/** The closed vocabulary of purposes: `support.refunds` lies below `support`, and both are declared. */
import { z } from 'zod'
import { PURPOSE } from '../domain/purpose.ts'
import type { Finding } from './findings.ts'
import type { PolicyFiles } from './files.ts'
import { readYaml } from './yaml.ts'

export interface Purpose {
  readonly name: string
  /** One sentence, for people who consent to it. */
  readonly says: string
}
export type Purposes = ReadonlyMap<string, Purpose>

const FILE = 'purposes.yaml'
const Vocabulary = z.record(z.string().max(64).regex(PURPOSE), z.string().min(3).max(200))

export function readPurposes(files: PolicyFiles): { purposes: Purposes; findings: Finding[] } {
  const text = files[FILE]
  if (text === undefined) {
    const fix = 'Declare at least one purpose in purposes.yaml, as `name: One sentence.`'
    return { purposes: new Map(), findings: [finding('there is none', fix)] }
  }
  const read = readYaml(FILE, text, Vocabulary)
  if (!read.ok) return { purposes: new Map(), findings: [...read.findings] }
  const declared = Object.entries(read.value).map(([name, says]) => [name, { name, says }] as const)
  const purposes = new Map(declared)
  const findings = [...purposes.keys()].flatMap((name) => {
    const above = name.slice(0, name.lastIndexOf('.'))
    if (!name.includes('.') || purposes.has(above)) return []
    return [finding(`${name} has nothing above it`, `Declare ${above} too, with a sentence.`)]
  })
  return { purposes, findings }
}

const finding = (what: string, fix: string): Finding => ({ file: FILE, rule: null, what, fix })
