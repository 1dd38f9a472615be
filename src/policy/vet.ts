/** Has a candidate set checked by a thread that is then thrown away; the deciding engine never parses it. */
import type { CaseReport } from './cases.ts'
import type { Compiled } from './cedar.ts'
import type { PolicyFiles } from './files.ts'
import { type Finding, PolicySetRefused, PolicySetUnchecked } from './findings.ts'
import type { Vetting } from './vet-worker.ts'
import { inWorker } from './worker.ts'

const LIMIT_MS = 30_000

/**
 * Parses, lints, validates and tries a set, and runs its cases.
 *
 * @throws PolicySetRefused with every finding, or with the cases that failed
 * @throws PolicySetUnchecked
 */
export async function vet(files: PolicyFiles, limitMs = LIMIT_MS): Promise<Compiled> {
  const vetting = await vetted(files, limitMs)
  if (vetting === 'late') throw new PolicySetUnchecked(limitMs)
  const { compiled, report } = vetting
  const failures = report.files.flatMap((file) => file.failures)
  if (compiled === null || failures.length > 0) {
    throw new PolicySetRefused([...report.findings, ...failures])
  }
  return compiled
}

/** Runs the cases of a set and says what each file has: for people who write policies. */
export async function runCases(files: PolicyFiles): Promise<CaseReport> {
  const vetting = await vetted(files, LIMIT_MS)
  return (vetting === 'late' ? refused('it could not be checked in time') : vetting).report
}

function vetted(files: PolicyFiles, limitMs: number): Promise<Vetting | 'late'> {
  const given = { ...files }
  const lost = (what: 'late' | keyof typeof WHY) => (what === 'late' ? what : refused(WHY[what]))
  return inWorker({ worker: WORKER, given, limitMs, isAwaited: true, lost })
}

const WHY = {
  failed: 'the parser or the evaluator did not survive it',
  ended: 'the check ended without an answer',
}

function refused(what: string): Vetting {
  const fix = 'Look for conditions that are nested very deep, or very long.'
  const finding: Finding = { file: '(the set)', rule: null, what, fix }
  return { compiled: null, report: { files: [], untested: [], findings: [finding] } }
}

/** Beside this file, and like it: compiled or not. */
const WORKER = new URL(import.meta.url.replace(/vet(?=\.[jt]s)/, 'vet-worker'))
