/** A policy set as files: policies, cases, tools and purposes, as one version by one hash. */
import { type Digest, digestOf, sha256 } from '../domain/digest.ts'
import type { Finding } from './findings.ts'

/** Name → text. Names are relative to the folder, with `/`. */
export type PolicyFiles = Readonly<Record<string, string>>

const NAME = /^(?:tools\/)?[a-z0-9][a-z0-9_.-]{0,100}\.(?:cedar|yaml)$/
const FILES_MAX = 300
const BYTES_MAX = 65_536

/** Whether a file of the folder belongs to the set; the generated schema and notes do not. */
export function isPolicyFile(name: string): boolean {
  return NAME.test(name)
}

/** RFC 8785 form of `[{name, sha256}]`, sorted by name, hashed. */
export function policySetHash(files: PolicyFiles): Digest {
  return digestOf(named(files).map(([name, text]) => ({ name, sha256: sha256(text) })))
}

/** The files whose names match, sorted. */
export function filesLike(files: PolicyFiles, pattern: RegExp): readonly [string, string][] {
  return named(files).filter(([name]) => pattern.test(name))
}

export const isPolicyText = /^[^/]+\.cedar$/
export const isCases = /\.test\.yaml$/
export const isTool = /^tools\/.+(?<!\.test)\.yaml$/

/** Names and sizes, before anybody looks inside. */
export function checkFiles(files: PolicyFiles): Finding[] {
  const names = Object.keys(files)
  if (names.length > FILES_MAX) {
    const fix = `Keep a set within ${String(FILES_MAX)} files.`
    return [{ file: '(the set)', rule: null, what: `${String(names.length)} files`, fix }]
  }
  return named(files).flatMap(([file, text]): Finding[] => {
    if (!isPolicyFile(file)) {
      const fix = 'Name it *.cedar, *.test.yaml, purposes.yaml or tools/*.yaml, in lower case.'
      return [{ file, rule: null, what: 'not a file of a policy set', fix }]
    }
    if (Buffer.byteLength(text) > BYTES_MAX) {
      return [{ file, rule: null, what: 'longer than 64 KiB', fix: 'Split it.' }]
    }
    return []
  })
}

function named(files: PolicyFiles): [string, string][] {
  return Object.entries(files).sort(([one], [other]) => (one < other ? -1 : 1))
}
