/** A thread of its own, made for one candidate set and thrown away: hostile text can wedge an engine. */
import { parentPort, workerData } from 'node:worker_threads'
import { type CaseReport, type FileReport, readCases } from './cases.ts'
import { readCatalogue } from './catalogue.ts'
import { type Compiled, createEngine } from './cedar.ts'
import { checkFiles, isPolicyText, type PolicyFiles } from './files.ts'
import type { Finding } from './findings.ts'
import { loadGrammar } from './grammar.ts'
import { readPurposes } from './purposes.ts'
import { cedarSchema } from './schema.ts'
import { type Tried, tryCase, trySamples } from './trial.ts'
import { parsePolicies } from './vet-parse.ts'

export interface Vetting {
  /** `null` when there are findings. Cases may fail all the same. */
  readonly compiled: Compiled | null
  readonly report: CaseReport
}

const notTried = (findings: readonly Finding[]): Vetting => ({
  compiled: null,
  report: { files: [], untested: [], findings },
})

async function vetting(files: PolicyFiles): Promise<Vetting> {
  const misnamed = checkFiles(files)
  if (misnamed.length > 0) return notTried(misnamed)
  const { catalogue, findings: ofTools } = readCatalogue(files, await loadGrammar())
  const { purposes, findings: ofPurposes } = readPurposes(files)
  const { cases, findings: ofCases } = readCases(files)
  const declared = [...ofTools, ...ofPurposes, ...ofCases]
  if (declared.length > 0) return notTried(declared)

  const { compiled, findings } = parsePolicies(files, cedarSchema(catalogue).text)
  if (compiled === null) return notTried(findings)
  const tried = { policies: createEngine().use(compiled), catalogue, purposes }
  const faults = trySamples(tried)
  if (faults.length > 0) return notTried(faults)
  return { compiled, report: reportOf(compiled, tried, cases) }
}

type Cases = ReturnType<typeof readCases>['cases']

function reportOf({ rules }: Compiled, tried: Tried, cases: Cases): CaseReport {
  const decisive = new Set<string>()
  const results = cases.map((one) => {
    const { outcome, wrong } = tryCase(tried, one)
    for (const { id } of outcome?.answer.rules ?? []) decisive.add(id)
    const fix = 'Mend the rule, or the case.'
    const failure: Finding | null =
      wrong === null ? null : { file: one.file, rule: one.name, what: wrong, fix }
    return { file: one.file.replace(/\.test\.yaml$/, '.cedar'), failure }
  })
  const names = new Set([...rules.map(({ file }) => file), ...results.map(({ file }) => file)])
  const files = [...names].sort().map((file): FileReport => {
    const own = results.filter((result) => result.file === file)
    const failures = own.flatMap(({ failure }) => (failure ? [failure] : []))
    return {
      ...{ file, rules: rules.filter((rule) => rule.file === file).length },
      ...{ cases: own.length, failures },
    }
  })
  const untested = rules
    .filter(({ id, file }) => isPolicyText.test(file) && !decisive.has(id))
    .map(({ id, file }) => ({ file, rule: id }))
  return { files, untested, findings: [] }
}

parentPort?.postMessage(await vetting(workerData as PolicyFiles))
