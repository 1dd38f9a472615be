/** Has a candidate set checked by a thread that is then thrown away; the deciding engine never parses it. */
import { Worker } from 'node:worker_threads'
import type { CaseReport } from './cases.ts'
import type { Compiled } from './cedar.ts'
import type { PolicyFiles } from './files.ts'
import { type Finding, PolicySetRefused } from './findings.ts'
import type { Vetting } from './vet-worker.ts'

const LIMIT_MS = 30_000
const HEAP_MB = 512

/**
 * Parses, lints, validates and tries a set, and runs its cases.
 *
 * @throws PolicySetRefused with every finding, or with the cases that failed
 */
export async function vet(files: PolicyFiles, limitMs = LIMIT_MS): Promise<Compiled> {
  const { compiled, report } = await inWorker(files, limitMs)
  const failures = report.files.flatMap((file) => file.failures)
  if (compiled === null || failures.length > 0) {
    throw new PolicySetRefused([...report.findings, ...failures])
  }
  return compiled
}

/** Runs the cases of a set and says what each file has: for people who write policies. */
export async function runCases(files: PolicyFiles): Promise<CaseReport> {
  return (await inWorker(files, LIMIT_MS)).report
}

function inWorker(files: PolicyFiles, limitMs: number): Promise<Vetting> {
  return new Promise((resolve) => {
    const worker = new Worker(WORKER, {
      workerData: { ...files },
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    })
    // The first answer counts; `resolve` ignores those after it, such as the end of the thread.
    const end = (vetting: Vetting) => {
      clearTimeout(limit)
      resolve(vetting)
      worker.terminate().catch(() => undefined)
    }
    const limit = setTimeout(() => {
      end(lost('it could not be checked in time'))
    }, limitMs).unref()
    worker.once('message', (vetting: Vetting) => {
      end(vetting)
    })
    worker.once('error', () => {
      end(lost('the parser or the evaluator did not survive it'))
    })
    worker.once('exit', () => {
      end(lost('the check ended without an answer'))
    })
  })
}

function lost(what: string): Vetting {
  const fix = 'Look for conditions that are nested very deep, or very long.'
  const finding: Finding = { file: '(the set)', rule: null, what, fix }
  return { compiled: null, report: { files: [], untested: [], findings: [finding] } }
}

/** Beside this file, and like it: compiled or not. */
const WORKER = new URL(import.meta.url.replace(/vet(?=\.[jt]s)/, 'vet-worker'))
