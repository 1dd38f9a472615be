/** One version of everything that is decided by: rules, tools, purposes and schema, under one hash. */
import type { Catalogue } from './catalogue.ts'
import { readCatalogue } from './catalogue.ts'
import type { Compiled, LivePolicies } from './cedar.ts'
import type { Parse } from './facts/sql.ts'
import { policySetHash, type PolicyFiles } from './files.ts'
import { PolicySetRefused } from './findings.ts'
import { type Purposes, readPurposes } from './purposes.ts'
import { cedarSchema } from './schema.ts'
import { vet } from './vet.ts'

/** Vetted, and ready to be put in force. */
export interface PolicySet {
  readonly files: PolicyFiles
  readonly hash: string
  readonly schemaHash: string
  readonly catalogue: Catalogue
  readonly purposes: Purposes
  readonly compiled: Compiled
}

export interface InForce extends Omit<PolicySet, 'compiled'> {
  readonly epoch: number
  readonly policies: LivePolicies
}

/** @throws PolicySetRefused, PolicySetUnchecked */
export async function prepareSet(files: PolicyFiles, parse: Parse): Promise<PolicySet> {
  const compiled = await vet(files)
  const { catalogue, findings } = readCatalogue(files, parse)
  const { purposes, findings: others } = readPurposes(files)
  if (findings.length + others.length > 0) throw new PolicySetRefused([...findings, ...others])
  const { hash: schemaHash } = cedarSchema(catalogue)
  return { files, hash: policySetHash(files), schemaHash, catalogue, purposes, compiled }
}
